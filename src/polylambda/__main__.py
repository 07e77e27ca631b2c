"""`python -m polylambda app.handler`: run a function by its handler's name, in Lambda or on this machine."""

from __future__ import annotations

import sys

from polylambda.runtime import postpone_collections
from polylambda.settings import Settings

USAGE = "usage: python -m polylambda MODULE.HANDLER (or set _HANDLER)"
HELP = f"""{USAGE}

Runs the handler: in Lambda when AWS_LAMBDA_RUNTIME_API is set, else on a local server.
"""


def main() -> None:
    """Run the handler that the command line or `_HANDLER` names."""
    settings = Settings()
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(HELP)
        return
    name = arguments[0] if arguments else settings.handler
    if not name or name.startswith("-") or len(arguments) > 1:
        raise SystemExit(f"polylambda: name one handler, such as app.handler\n{USAGE}")
    postpone_collections()  # until the first poll
    from polylambda.runtime.runtime import run_named

    run_named(name, settings)


if __name__ == "__main__":
    main()
