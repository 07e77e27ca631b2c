"""Which files are read, and what happens to those that cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polylambda.check.static import Checked, StaticOptions, check, linter

WRITES = "seen = []\n\n\ndef note(event):\n    seen.append(event)\n"
HANDLER = "from {module} import note\n\n\ndef handler(event, context):\n    note(event)\n"


@pytest.fixture(autouse=True)
def without_ruff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linter, "_ask", lambda files: {file: [] for file in files})


def checked(root: Path, files: dict[str, str | bytes], target: str = "app.handler") -> Checked:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return check(StaticOptions((target,), root))


def places(result: Checked) -> list[tuple[str, int, str]]:
    return [(each.path, each.line, each.rule) for each in result.findings]


@pytest.mark.parametrize(
    ("module", "file", "extra"),
    [
        ("notes", "notes.py", ()),
        ("shop.notes", "shop/notes.py", ("shop/__init__.py",)),
        ("shop.notes", "shop/notes.py", ()),  # a namespace package
        ("shop.notes", "src/shop/notes.py", ("src/shop/__init__.py",)),
    ],
)
def test_an_import_is_followed(tmp_path: Path, module: str, file: str, extra: tuple[str, ...]) -> None:
    files = {"app.py": HANDLER.format(module=module), file: WRITES, **dict.fromkeys(extra, "")}
    assert places(checked(tmp_path, files)) == [(file, 5, "LMI101")]


@pytest.mark.parametrize(
    "imports",
    [
        "from . import notes\nnote = notes.note",
        "from .notes import note",
        "from ..shop.notes import note as noted\nnote = noted",
        "from .notes import *",
        "import top.shop.notes\nnote = top.shop.notes.note",
        "try:\n    from .missing import note\nexcept ImportError:\n    from .notes import note",
    ],
)
def test_every_way_to_import_is_understood(tmp_path: Path, imports: str) -> None:
    files = {
        "top/__init__.py": "",
        "top/shop/__init__.py": "",
        "top/shop/notes.py": WRITES,
        "top/shop/app.py": f"{imports}\n\n\ndef handler(event, context):\n    note(event)\n",
    }
    result = checked(tmp_path, files, "top.shop.app.handler")
    assert ("top/shop/notes.py", 5, "LMI101") in places(result)


def test_modules_that_import_each_other_are_both_followed(tmp_path: Path) -> None:
    files = {
        "app.py": "import first\n\n\ndef handler(event, context):\n    first.start(event)\n",
        "first.py": "from second import go\n\nseen = []\n\n\ndef start(event):\n    go(event)\n",
        "second.py": "from first import seen\n\n\ndef go(event):\n    seen.append(event)\n",
    }
    assert places(checked(tmp_path, files)) == [("second.py", 5, "LMI101")]


def test_imports_for_types_are_not_followed(tmp_path: Path) -> None:
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import notes\n\n\ndef handler(event, context): ...\n"
    )
    assert checked(tmp_path, {"app.py": source, "notes.py": "("}).paths == ("app.py",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("def broken(:\n", "notes.py cannot be parsed: "),
        ("# " + "x" * 1_000_001, "notes.py is not checked: it has more than a million bytes"),
        ("name = 'é'\n".encode("latin-1"), "notes.py cannot be parsed: "),
        ("a = 1\0", "notes.py cannot be parsed: "),
    ],
)
def test_a_file_that_cannot_be_parsed_is_told_and_left_out(tmp_path: Path, content: str | bytes, said: str) -> None:
    result = checked(tmp_path, {"app.py": "import notes\n\n\ndef handler(event, context): ...\n", "notes.py": content})
    assert len(result.problems) == 1
    assert result.problems[0].startswith(said)


def test_a_file_may_say_how_it_is_encoded(tmp_path: Path) -> None:
    notes = f"# -*- coding: latin-1 -*-\n# é\n{WRITES}".encode("latin-1")
    result = checked(tmp_path, {"app.py": HANDLER.format(module="notes"), "notes.py": notes})
    assert places(result) == [("notes.py", 7, "LMI101")]


def test_what_is_nested_too_deeply_does_not_end_the_check(tmp_path: Path) -> None:
    deep = f"def handler(event, context):\n    return {'(' * 80}1{')' * 80}\n\n\nx = {'-' * 5000}1\n"
    result = checked(
        tmp_path, {"app.py": f"import deep\n{HANDLER.format(module='notes')}", "deep.py": deep, "notes.py": WRITES}
    )
    assert places(result) == [("notes.py", 5, "LMI101")]
    assert len(result.problems) == 1
    assert result.problems[0].startswith("deep.py ")


def test_folders_that_are_not_the_project_are_left_out(tmp_path: Path) -> None:
    files = {
        "app.py": "def handler(event, context): ...\n",
        "tests/test_app.py": "def handler(event, context): ...\n",
        ".hidden/app.py": "def handler(event, context): ...\n",
        "env/pyvenv.cfg": "",
        "env/lib/app.py": "def handler(event, context): ...\n",
        "node_modules/x/app.py": "def handler(event, context): ...\n",
    }
    assert [each.path for each in checked(tmp_path, files, ".").handlers] == ["app.py"]


def test_a_folder_that_links_to_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    os.symlink(tmp_path, tmp_path / "shop" / "again")
    result = checked(tmp_path, {"shop/app.py": "def handler(event, context): ...\n"}, ".")
    assert len(result.handlers) == 1


def test_what_an_installer_put_beside_the_source_is_not_the_projects(tmp_path: Path) -> None:
    files = {"app.py": HANDLER.format(module="notes"), "notes.py": WRITES}
    for name in ("notes", "others"):
        files[f"{name}-1.0.dist-info/RECORD"] = f"{name}.py,,\n{name}-1.0.dist-info/RECORD,,\n"
    assert checked(tmp_path, files).paths == ("app.py",)
