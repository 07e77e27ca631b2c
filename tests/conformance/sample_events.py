"""The events of `sam local generate-event`, rendered from the SAM CLI's own templates with their defaults.

A template is JSON whose strings hold `{{{name}}}` or `{{name}}`; event-mapping.json has a default for nearly every name,
and says whether its value is encoded or hashed first.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

_PLACEHOLDER = re.compile(r"\{{2,3}(\w+)\}{2,3}")


def sample_event(folder: Path, service: str, event_type: str, **values: str) -> Any:
    """Return the event of `sam local generate-event SERVICE EVENT_TYPE`, with `values` in place of its defaults.

    `folder` holds event-mapping.json; a value is named as on the command line, with `_` for `-`. Raises KeyError for a
    name that the event does not have.
    """
    event = json.loads((folder / "event-mapping.json").read_text())[service][event_type]
    rendered: dict[str, str] = {}
    for name, tag in event["tags"].items():
        value = values.pop(_identifier(name), tag.get("default", ""))
        rendered[_identifier(name)] = _render(tag, value)
        for child, child_tag in tag.get("children", {}).items():
            rendered[_identifier(child)] = _render(child_tag, value)
    if values:
        raise KeyError(f"{service} {event_type} has no {', '.join(values)}: it has {', '.join(rendered)}.")
    template = json.loads((folder / "events" / service / f"{event['filename']}.json").read_text())
    return _fill(template, rendered)


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _render(tag: dict[str, Any], value: str) -> str:
    if tag.get("encoding") == "url":
        value = urllib.parse.quote(value)
    elif tag.get("encoding") == "base64":
        value = base64.b64encode(value.encode()).decode()
    if tag.get("hashing") == "md5":
        value = hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
    return value


def _fill(node: Any, rendered: dict[str, str]) -> Any:
    """Replace the placeholders in all strings; filling the JSON text instead would need every value escaped."""
    if isinstance(node, dict):
        return {_fill(key, rendered): _fill(value, rendered) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(item, rendered) for item in node]
    if isinstance(node, str):
        return _PLACEHOLDER.sub(lambda match: rendered.get(match[1], ""), node)
    return node
