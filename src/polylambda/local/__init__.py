"""The local server: a function behind HTTP on this machine, with AWS's API, a function URL and reload on change.

It is started by `.run()` outside Lambda and by `polylambda dev`. It stands on `server`, which knows nothing of HTTP to
users; the mappings (`answers`, `urls`, `eventstream`, `metadata`, `references`) do no I/O.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from polylambda.local.options import Options
    from polylambda.settings import Settings

_EXTRA = ("cyclopts", "dotenv", "rich", "uvicorn", "watchfiles")


def serve(command: Sequence[str], *, options: Options | None = None) -> None:
    """Serve the function that `command` runs as a Lambda runtime, until Ctrl-C or SIGTERM.

    Args:
        command: program and arguments, such as `["python", "-m", "polylambda", "app.handler"]`.
        options: host, port and everything else; by default what the environment variables say.

    Raises:
        ConfigurationError: an option cannot be followed, such as a port that is in use, or the extra `local` is not
            installed.
        SystemExit: a second Ctrl-C did not let the end be waited for.
    """
    with extra_installed("the local server"):
        from polylambda.local.options import from_settings
        from polylambda.local.server import serve as serve_command
    from polylambda.settings import Settings

    serve_command(command, options or from_settings(Settings()))


def serve_program(settings: Settings) -> None:
    """Serve the function that this very program runs.

    The program is started again, with a Runtime API to talk to; so what it does before it runs the runtime, it does
    twice.

    Raises:
        SystemExit: the server cannot start; the message says why.
    """
    try:
        with extra_installed("running outside Lambda"):
            from polylambda.local.options import from_settings
        serve([sys.executable, *sys.orig_argv[1:]], options=from_settings(settings))
    except ConfigurationError as error:
        raise SystemExit(f"polylambda: {error}") from None


@contextlib.contextmanager
def extra_installed(what: str) -> Generator[None]:
    """Turn the absence of a package of the extra `local` into a sentence that says how to get it.

    Raises:
        ConfigurationError: an import in the body found such a package missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise ConfigurationError(
            f"{what} needs {package}, which is not installed: pip install 'polylambda[local]'"
        ) from error
