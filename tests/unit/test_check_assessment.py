"""What of the findings counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from polylambda.check.assessment import Assessment, assessment
from polylambda.check.baseline import Baseline
from polylambda.check.catalogue import RULES
from polylambda.check.dynamic import Ran, RunOptions
from polylambda.check.finding import Finding, Mode, Step
from polylambda.check.output.report import Report
from polylambda.check.static import Checked

RULE = frozenset(RULES)


def found(rule: str, line: int = 1) -> Finding:
    return Finding("app.py", line, 1, rule, "it is not right", "do not", (Mode.TASK,))


def test_what_was_read_is_not_gone_because_it_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = Baseline.of([found("LMI101"), found("RUN101"), found("RUN102")], tmp_path)
    options = RunOptions("app.handler", (b"{}",), root=tmp_path)
    ran = Ran((found("RUN101"),), 7, Mode.TASK, 16, "again", options)
    monkeypatch.setattr("polylambda.check.dynamic.run", lambda options, tell: ran)
    report = Assessment(tmp_path, RULE, baseline=known).run(options, print)
    assert (report.findings, report.known, [entry.rule for entry in report.gone]) == ((), 1, ["RUN102"])
    assert (report.ran, report.reproduce) == ("16 invocations, mode task, seed 7", "again")

    checked = Checked((), (), (), ("app.py",))
    monkeypatch.setattr("polylambda.check.static.check", lambda options: checked)
    report = Assessment(tmp_path, RULE, baseline=known).read(["."], None)
    assert [entry.rule for entry in report.gone] == ["LMI101"]


def test_what_was_read_stays_known_when_it_ran(tmp_path: Path):
    file = tmp_path / "known.json"
    read = Report((found("LMI101"), found("LMI102")), tmp_path)
    ran = Report((found("RUN101"),), tmp_path, ran="64 invocations")
    for report in (read, ran, replace(read, findings=(found("LMI101"),))):
        Assessment(tmp_path, RULE).write_baseline(report, file)
    assert [entry.rule for entry in Baseline.read(file).entries] == ["LMI101", "RUN101"]


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Path | None] = []

    def check(options: object) -> Checked:
        asked.append(options.cache)
        return Checked((), (), (), ())

    monkeypatch.setattr("polylambda.check.static.check", check)
    (tmp_path / "file").write_text("")
    for cache in (None, tmp_path / "file" / "cache", tmp_path / "cache"):
        assessment(tmp_path).read(["."], cache)
    assert asked == [None, None, tmp_path / "cache"]


def test_what_two_handlers_lead_to_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    near, far = found("LMI101"), replace(found("LMI101"), trail=(Step("handler", "app.py", 3),))
    checked = Checked((far, near, found("LMI101", line=2)), (), (), ())
    monkeypatch.setattr("polylambda.check.static.check", lambda options: checked)
    assert Assessment(tmp_path, RULE).read(["."], None).findings == (near, found("LMI101", line=2))
