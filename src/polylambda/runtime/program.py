"""Starting the program over in a clean interpreter, so that workers can be forked before the program's code is imported.

What a module opens when it is imported, such as database connections and boto3 clients, must not be shared by forked
processes. So the supervisor never imports the function; each worker does, once it is forked.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_MODULE = "polylambda.runtime.program"


def start_over(variables: dict[str, str]) -> NoReturn:
    """Replace this process by a supervisor of the same program, with more environment variables."""
    sys.stdout.flush()
    sys.stderr.flush()
    flags, program = _split(sys.orig_argv)
    if program[:2] != ["-m", "polylambda"]:
        program = ["-m", _MODULE, *program]
    os.execve(sys.executable, [sys.orig_argv[0], *flags, *program], _environment(variables))


def _environment(variables: dict[str, str]) -> dict[str, str]:
    from polylambda.settings import environment

    return {**environment(), **variables}


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """The interpreter's own options, and what they are followed by: a script or `-m module`, with its arguments."""
    at = 1
    while at < len(argv):
        option = argv[at]
        if option == "-m" or not option.startswith("-"):
            break
        if option.startswith("-m"):  # -mmodule
            return argv[1:at], ["-m", option[2:], *argv[at + 1 :]]
        at += 2 if option in ("-W", "-X", "--check-hash-based-pycs") else 1
    return argv[1:at], argv[at:]


def program_of(arguments: list[str]) -> Callable[[], object]:
    """Return what runs the program, a script or `-m module`, as the interpreter would have run it."""
    import runpy

    if arguments[:1] == ["-m"]:
        module = arguments[1]

        def run_module() -> object:
            sys.argv = arguments[1:]
            return runpy.run_module(module, run_name="__main__", alter_sys=True)

        return run_module
    script = arguments[0]

    def run_script() -> object:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(script))
        return runpy.run_path(script, run_name="__main__")

    return run_script
