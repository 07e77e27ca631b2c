"""The event of `polylambda invoke`: a file, standard input, or JSON on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from polylambda.errors import ConfigurationError


def read_event(source: str) -> bytes:
    """Return the event that `source` means: `-` for standard input, else JSON if it looks like it, else a file.

    Raises:
        ConfigurationError: the file cannot be read, or what it holds is not JSON.
    """
    if source == "-":
        return _json(sys.stdin.buffer.read(), "standard input")
    if _looks_like_json(source):
        return _json(source.encode(), "--event")
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no event file {source}; --event takes a file, - for standard input, or JSON such as '{{}}'"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"the event file {source} cannot be read: {error.strerror}") from error
    return _json(data, source)


def read_client_context(source: str) -> str:
    """Return the client context that `source` means, as `read_event` does.

    Raises:
        ConfigurationError: it cannot be read, or is no JSON object.
    """
    text = read_event(source).decode()
    if not isinstance(json.loads(text), dict):
        raise ConfigurationError('the client context must be a JSON object, such as {"custom": {"key": "value"}}')
    return text


def _looks_like_json(source: str) -> bool:
    if source.lstrip()[:1] in ("{", "[", '"'):
        return True
    try:
        json.loads(source)
    except ValueError:
        return False
    return not Path(source).exists()


def _json(data: bytes, where: str) -> bytes:
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the event from {where} is not JSON: {error}") from error
    return data
