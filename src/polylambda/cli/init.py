"""`polylambda init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from cyclopts import App

_EXAMPLES = """Examples:
  polylambda init hello greeter
      a typed event in, a typed result out, in the new folder greeter
  polylambda init web myapp && cd myapp && make test
      a FastAPI application, and its tests

The kinds:
  hello       a typed event in, a typed result out
  streaming   a response in pieces
  background  work that goes on after the answer
  web         a FastAPI application

Exit status:
  0 the project is there
  2 the command line is wrong, or the folder has files in it
"""

_KindName = Annotated[Literal["hello", "streaming", "background", "web"], Parameter(show_choices=False)]


def mount(app: App) -> None:
    """Add the command to the command line."""
    app.command(init, help_epilogue=_EXAMPLES, usage="Usage: polylambda init KIND FOLDER")


def init(kind: _KindName, folder: Path, /) -> int:
    """Make a new project: a function with tests, a Makefile, and templates for Lambda and for managed instances.

    Args:
        kind: what kind of function: hello, streaming, background or web.
        folder: where to; a new folder, or an empty one.
    """
    from polylambda.package import project

    files = project.create(kind, folder)
    print(f"{folder}: {project.KINDS[kind].about}")
    for path in files:
        print(f"  {path}")
    print()
    print("Next:")
    enter = [] if folder.resolve() == Path.cwd() else [(f"cd {folder}", "")]
    for command, purpose in (
        *enter,
        ("make test", "install what it needs into .venv, and run its tests"),
        ("make run", "serve it on http://127.0.0.1:7000"),
        ("polylambda package --check", "package it for Lambda, and try it as Lambda would run it"),
        ("make deploy", "put it on Lambda, with `sam deploy`; make deploy-managed, on managed instances"),
    ):
        print(f"  {command:<28}{purpose}".rstrip())
    return 0
