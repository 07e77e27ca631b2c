"""Starting a program over in a clean interpreter, so that workers can be forked before the program's code is imported.

What a module opens when it is imported, such as database connections and clients of AWS, must not be shared by forked
processes. So the supervisor never imports the function; each worker does, once it is forked.
"""

from __future__ import annotations

import os
import sys

from polylambda.errors import ConfigurationError
from polylambda.settings import Settings, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_MODULE = "polylambda.runtime.program"


def start_over(mode: str, settings: Settings) -> NoReturn:
    """Replace this process by the supervisor of the same program.

    Args:
        mode: the concurrency mode, which need not be found out again.
        settings: the environment's.

    Raises:
        ConfigurationError: the program has no file and no name (`python -c`, an interactive session).
    """
    flags, program = split(sys.orig_argv)
    if not program or program[0] == "-" or program[0].startswith("-c"):
        raise ConfigurationError(
            f"{mode} mode starts this program in several processes, so it must be a file or a module: put it into one, or "
            "choose a mode that needs one process"
        )
    if program[:2] != ["-m", "polylambda"]:
        program = ["-m", _MODULE, *program]
    variables = environment(AWS_LAMBDA_CONCURRENCY_MODE=mode)
    if settings.log_fd is not None:  # it was hidden from child processes, and this is none
        variables["_LAMBDA_TELEMETRY_LOG_FD"] = settings.log_fd
        os.set_inheritable(int(settings.log_fd), True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.orig_argv[0], *flags, *program], variables)  # noqa: S606 # no shell is wanted


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Return the interpreter's own options, and what follows: a script or `-m module`, with its arguments."""
    at = 1
    while at < len(argv):
        option = argv[at]
        if option == "-m" or option.startswith("-c") or not option.startswith("-") or option == "-":
            break
        if option.startswith("-m"):  # -mmodule
            return argv[1:at], ["-m", option[2:], *argv[at + 1 :]]
        at += 2 if option in ("-W", "-X", "--check-hash-based-pycs") else 1
    return argv[1:at], argv[at:]


def run_program(arguments: list[str]) -> None:
    """Run a script or `-m module` as the interpreter would have run it."""
    import runpy

    if arguments[:1] == ["-m"]:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = arguments
    path = os.path.abspath(arguments[0])  # as the interpreter has it in `__file__`
    if not sys.flags.safe_path:  # else the first entry is not the program's folder
        sys.path[0] = os.path.dirname(path)
    runpy.run_path(path, run_name="__main__")


def main() -> None:
    """Supervise the program that the command line names; in the workers, run it."""
    from polylambda import logs
    from polylambda.rapi.address import Address
    from polylambda.runtime.limits import Limits
    from polylambda.runtime.managed import early_layout, supervise

    settings = Settings(environment())  # a copy: the program reads its own
    layout = early_layout(settings)
    assert layout is not None  # `start_over` saw to it
    assert settings.runtime_api is not None
    logs.setup(settings)
    share = supervise(Address(settings.runtime_api), layout, settings, Limits(settings))
    logs.teardown()
    if share is not None:
        run_program(sys.argv[1:])


if __name__ == "__main__":
    main()
