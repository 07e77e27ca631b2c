"""Byte code beside the modules, so that a cold start need not compile them: on Lambda nothing can be written there."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package import interpreters
from polylambda.settings import environment

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.package.interpreters import Interpreter
    from polylambda.package.target import Target


def compiler(target: Target) -> Interpreter:
    """Return a Python that makes the target's byte code.

    Raises:
        ConfigurationError: this machine has none, and no other can do it.
    """
    python = interpreters.find(target.python)
    if python is None:
        raise ConfigurationError(
            f"--compile needs Python {target.python} on this machine, which has none: install it (uv python install "
            f"{target.python}), or leave --compile away"
        )
    return python


def compile_all(python: Interpreter, folder: Path, *, shown_as: str) -> None:
    """Compile every module below `folder`.

    A module that does not compile, such as a template with placeholders, is left as it is: the function may never import it.

    Args:
        python: whose byte code is wanted.
        folder: where the modules are now.
        shown_as: where they will be, for tracebacks.
    """
    # Never checked against its source: times are not kept in an artifact, and nothing changes there.
    words = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", shown_as)
    # One process and no random hashes: the same sources shall give the same bytes.
    subprocess.run(  # noqa: S603 # no shell, and the Python is the user's own
        [str(python.executable), *words, str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(PYTHONHASHSEED="0"),
        cwd="/",
        check=False,
    )
