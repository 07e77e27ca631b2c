"""Results are kept for as long as nothing that they were made from has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.check.static import Checked, StaticOptions, check, following, linter

APP = "from notes import note\n\n\ndef handler(event, context):\n    note(event)\n"
SAFE = "def note(event): ...\n"
UNSAFE = "seen = []\n\n\ndef note(event):\n    seen.append(event)\n"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files that ruff was asked about."""
    calls: list[list[str]] = []

    def ask(files: list[Path]) -> dict[Path, list[linter.Diagnosis]]:
        calls.append(sorted(file.name for file in files))
        return {file: [linter.Diagnosis("B019", 4, 1, "a cached method")] for file in files}

    monkeypatch.setattr(linter, "_ask", ask)
    return calls


def checked(root: Path, target: str = "app.handler") -> Checked:
    return check(StaticOptions((target,), root, cache=root / ".cache"))


def write(root: Path, **sources: str) -> None:
    for name, source in sources.items():
        (root / f"{name}.py").write_text(source)


def test_a_second_run_gives_the_same_without_following_anything(
    tmp_path: Path, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, app=APP, notes=UNSAFE)
    first = checked(tmp_path)
    monkeypatch.setattr(following, "follow_all", None)
    assert checked(tmp_path) == first
    assert {each.rule for each in first.findings} == {"LMI101", "B019"}
    assert asked == [["app.py", "notes.py"]]


def test_ruff_is_asked_about_what_changed_only(tmp_path: Path, asked: list[list[str]]) -> None:
    write(tmp_path, app=APP, notes=SAFE)
    checked(tmp_path)
    write(tmp_path, notes=UNSAFE)
    assert "LMI101" in {each.rule for each in checked(tmp_path).findings}
    assert asked == [["app.py", "notes.py"], ["notes.py"]]


def test_a_new_file_that_is_imported_now_is_seen(tmp_path: Path, asked: list[list[str]]) -> None:
    write(tmp_path, app=APP)
    assert checked(tmp_path).paths == ("app.py",)
    write(tmp_path, notes=UNSAFE)
    assert checked(tmp_path).paths == ("app.py", "notes.py")


def test_another_question_has_another_answer(tmp_path: Path, asked: list[list[str]]) -> None:
    write(tmp_path, app=APP, notes=UNSAFE, other="def handler(event, context): ...\n")
    assert len(checked(tmp_path).handlers) == 1
    assert len(checked(tmp_path, ".").handlers) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"read": 1}'])
def test_a_cache_that_is_broken_is_made_anew(tmp_path: Path, asked: list[list[str]], content: str) -> None:
    write(tmp_path, app=APP, notes=UNSAFE)
    first = checked(tmp_path)
    for file in (tmp_path / ".cache").iterdir():
        file.write_text(content)
    assert checked(tmp_path) == first


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, asked: list[list[str]]) -> None:
    write(tmp_path, app=APP, notes=UNSAFE)
    (tmp_path / ".cache").write_text("a file")
    assert checked(tmp_path) == checked(tmp_path)
