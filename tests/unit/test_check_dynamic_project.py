"""Which code is the project's."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import polylambda
from polylambda.check.dynamic.project import Project


def test_files_below_the_root(tmp_path: Path):
    project = Project(str(tmp_path))
    assert project.owns(str(tmp_path / "app.py"))
    assert project.owns(str(tmp_path / "orders" / "store.py"))
    assert project.relative(str(tmp_path / "orders" / "store.py")) == "orders/store.py"


def test_not_what_was_installed_there(tmp_path: Path):
    project = Project(str(tmp_path))
    assert not project.owns(str(tmp_path / ".venv" / "lib" / "boto3.py"))
    assert not project.owns(str(tmp_path / "site-packages" / "boto3.py"))
    assert not project.owns(json.__file__)
    assert not project.owns("<string>")


def test_not_polylambda_itself():
    project = Project(str(Path(polylambda.__file__).parents[2]))
    assert not project.owns(polylambda.__file__)
    assert project.owns(__file__)


def test_the_innermost_call_of_the_project():
    project = Project(str(Path(__file__).parent))
    found = functools.partial(project.site, sys._getframe())()
    assert found is not None
    assert found[0] == Path(__file__).name
    assert found[2] == "test_the_innermost_call_of_the_project"


class Handler:
    def handle(self, event: object, context: object) -> None:
        pass


def test_definitions():
    project = Project(str(Path(__file__).parent))
    assert project.definition(Handler(), "app.handler")[2] == "Handler.handle"
    assert project.definition(test_definitions, "app.handler")[2] == "test_definitions"
    assert project.definition(json.dumps, "app.handler")[0] == str(Path(json.__file__).resolve())
