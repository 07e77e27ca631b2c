"""Which function a command is about: a handler's name, or any command that runs a Lambda runtime."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from polylambda.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Target:
    """What to run.

    Attributes:
        command: program and arguments.
        handler: name of the handler; empty when the command knows it.
    """

    command: list[str]
    handler: str = ""


def target_of(name: str | None, command: list[str] | None) -> Target:
    """Return what the user named: a handler such as `app.handler` or `src/app.handler`, or a command after `--`.

    Raises:
        ConfigurationError: both were given, or neither, or there is no such module.
    """
    if command is not None:
        if not command:
            raise ConfigurationError("after -- comes the command that runs the function, such as ./bootstrap")
        if name is not None:
            raise ConfigurationError(f"give either a handler or a command, not both {name!r} and {' '.join(command)!r}")
        return Target(command)
    if name is None:
        raise ConfigurationError("name the handler, such as app.handler, or give a command after --")
    _check_handler(name)
    return Target([sys.executable, "-m", "polylambda", name], name)


def _check_handler(name: str) -> None:
    path, dot, function = name.rpartition(".")
    if function == "py" or not (dot and path and function):
        stem = name.removesuffix(".py").rstrip(".")
        raise ConfigurationError(
            f"{name!r} is no handler: it takes the module and the function in it, such as {stem}.handler"
        )
    module = path.replace("/", ".").strip(".")
    search: list[str] | None = [str(Path.cwd()), *sys.path]
    for part in module.split("."):
        # Looked for, not imported: the function's code runs in the function's process only.
        found = PathFinder.find_spec(part, search) if search is not None else None
        if found is None:
            where = module.replace(".", "/")
            raise ConfigurationError(
                f"there is no module {module!r} for the handler {name!r}: neither {where}.py nor {where}/ is in {Path.cwd()}; "
                "go to the folder of your code, or put its path in front, as in src/app.handler"
            )
        search = list(found.submodule_search_locations) if found.submodule_search_locations is not None else None
