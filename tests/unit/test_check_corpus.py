"""The corpus: what is labelled is reported at its line, and nothing else is; see tests/corpus/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polylambda.check.finding import Mode
from polylambda.check.static import StaticOptions, check, linter

CORPUS = Path(__file__).parents[1] / "corpus"
CASES = sorted(path for path in CORPUS.glob("*/*") if re.search(r"_(un)?safe(\.py)?$", path.name))


def test_half_of_the_corpus_is_safe() -> None:
    unsafe = [case for case in CASES if "_unsafe" in case.name]
    assert len(CASES) >= 60
    assert abs(len(CASES) - 2 * len(unsafe)) <= len(CASES) // 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.relative_to(CORPUS).as_posix())
def test_what_is_labelled_is_reported_and_nothing_else(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linter, "_ask", _asked_once)
    root, app = (case, case / "app.py") if case.is_dir() else (case.parent, case)
    files = list(case.rglob("*.py")) if case.is_dir() else [case]

    checked = check(
        StaticOptions((f"{app.stem}.{_said(app, 'handler') or 'handler'}",), root, Mode(_said(app, "mode")))
    )

    labelled = {label for file in files for label in _labels(file, root)}
    assert {(each.path, each.line, each.rule) for each in checked.findings} == labelled
    assert checked.problems == ()


def _said(app: Path, what: str) -> str:
    found = re.search(rf"^# {what}: (\w+)$", app.read_text(), re.MULTILINE)
    return found[1] if found else ""


def _labels(file: Path, root: Path) -> Iterator[tuple[str, int, str]]:
    for line, text in enumerate(file.read_text().splitlines(), 1):
        label = re.search(r"# unsafe: (.+)$", text)
        for rule in label[1].split(",") if label else ():
            yield file.relative_to(root).as_posix(), line, rule.strip()


_ask = linter._ask
_answers: dict[Path, list[linter.Diagnosis]] = {}


def _asked_once(files: list[Path]) -> dict[Path, list[linter.Diagnosis]]:
    """One run of ruff for the whole corpus."""
    if not _answers:
        _answers.update(_ask(sorted(CORPUS.rglob("*.py"))))
    return {file: _answers[file] for file in files}
