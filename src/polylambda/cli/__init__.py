"""The command line. What it can do is in `commands`; this module only gets there, or says what is missing.

It imports nothing heavy, so that `polylambda --version` in a slim image works, or fails with a sentence.
"""

from __future__ import annotations

import os
import sys

USAGE = 2
"""Exit status of a command that was not understood, or cannot be carried out as it was given."""
INTERRUPTED = 130
"""Exit status after Ctrl-C."""
CUT_OFF = 141
"""Exit status when nobody reads our output any more, as a shell has it for SIGPIPE."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments`, by default the process's own; return the exit status.

    A mistake of the user is one sentence on stderr and status 2.
    """
    from polylambda.errors import ConfigurationError

    try:
        try:
            from polylambda.cli.commands import run
        except ModuleNotFoundError as error:
            from polylambda.local import extra_installed

            with extra_installed("the polylambda command"):
                raise error from None
        return run(sys.argv[1:] if arguments is None else arguments)
    except ConfigurationError as error:
        print(f"polylambda: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads our output has seen enough. Without this, Python would try to write the rest at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
