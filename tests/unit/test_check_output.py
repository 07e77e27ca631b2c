"""Findings, printed: for people, for programs, for code scanning and for GitHub."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polylambda.check.baseline import Entry
from polylambda.check.catalogue import RULES
from polylambda.check.finding import Finding, Mode, Step
from polylambda.check.output import Format, print_report
from polylambda.check.output.report import Report
from polylambda.check.output.text import print_rule, print_rules

FINDING = Finding(
    path="src/sto re.py",
    line=2,
    column=5,
    rule="LMI101",
    message="module global CACHE is written",
    fix="keep it per invocation",
    modes=(Mode.TASK, Mode.THREAD),
    trail=(Step("handler", "app.py", 4), Step("keep", "src/sto re.py", 1)),
)
SEEN = Finding(
    "app.py", 1, 1, "RUN101", "a marker: 100%, of another", "do not", (Mode.TASK,), evidence=("first\nsecond",)
)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "sto re.py").write_text("def keep(x):\n    CACHE[1] = x\n")
    return Report((SEEN, FINDING), tmp_path, (Mode.TASK,), files=3)


def printed(report: Report, chosen: Format) -> str:
    file = io.StringIO()
    print_report(report, chosen, file)
    return file.getvalue()


def test_text(report: Report):
    lines = printed(report, Format.TEXT).splitlines()
    assert lines[lines.index("src/sto re.py") :] == [
        "src/sto re.py",
        "  2:5  LMI101  module global CACHE is written",
        "    2 | CACHE[1] = x",
        f"    task: {RULES['LMI101'].why[Mode.TASK]}",
        "    called: handler (app.py:4) > keep (src/sto re.py:1)",
        "    fix: keep it per invocation",
        "    more: polylambda check --explain LMI101",
        "",
        "2 findings in 2 files; 3 files read",
    ]
    assert "    seen: first\n" in printed(report, Format.TEXT)


def test_text_is_plain_when_nobody_looks(report: Report):
    assert "\x1b" not in printed(report, Format.TEXT)


def test_text_of_nothing(report: Report):
    assert printed(replace(report, findings=()), Format.TEXT) == "no findings; 3 files read\n"


def test_text_tells_what_does_not_count(report: Report):
    gone = Entry("old.py", 3, "LMI202", "os.chdir()", "abc")
    text = printed(replace(report, findings=(), suppressed=2, known=4, gone=(gone,)), Format.TEXT)
    assert "gone from old.py: LMI202 os.chdir()\n" in text
    assert text.endswith("no findings; 3 files read; 2 suppressed; 4 in the baseline\n")


def test_text_tells_how_to_see_it_again(report: Report):
    ran = replace(
        report, findings=(SEEN,), files=None, ran="64 invocations, seed 7", reproduce="polylambda check --seed 7"
    )
    *_, again, summary = printed(ran, Format.TEXT).splitlines()
    assert again == "again: polylambda check --seed 7"
    assert summary == "1 finding in 1 file; 64 invocations, seed 7"
    assert printed(replace(ran, findings=()), Format.TEXT) == "no findings; 64 invocations, seed 7\n"


def test_text_tells_how_much_was_followed(report: Report):
    nothing = replace(report, findings=(), handlers=3, followed=41)
    assert printed(nothing, Format.TEXT) == "no findings; 3 files read; 3 handlers, 41 functions followed\n"
    one = replace(report, findings=(), handlers=1, followed=1)
    assert printed(one, Format.TEXT) == "no findings; 3 files read; 1 handler, 1 function followed\n"
    assert printed(nothing, Format.GITHUB).endswith("3 handlers, 41 functions followed\n")
    data = json.loads(printed(nothing, Format.JSON))
    assert (data["handlers"], data["followed"]) == (3, 41)
    [invocation] = sarif(nothing)["invocations"]
    assert invocation["properties"]["summary"].endswith("3 handlers, 41 functions followed")


def test_text_has_the_problems(report: Report):
    text = printed(replace(report, findings=(), problems=("app.py could not be followed",)), Format.TEXT)
    assert text == "problem: app.py could not be followed\nno findings; 3 files read; 1 problem\n"


def test_text_tells_what_is_the_same_once(report: Report):
    again = replace(FINDING, column=9, message="module global CACHE is changed")
    other = replace(FINDING, column=13, fix="something else")
    lines = printed(replace(report, findings=(FINDING, again, other)), Format.TEXT).splitlines()
    assert lines[lines.index("  2:9  LMI101  module global CACHE is changed") :] == [
        "  2:9  LMI101  module global CACHE is changed",
        "    2 | CACHE[1] = x",
        "    called: handler (app.py:4) > keep (src/sto re.py:1)",
        "",
        "  2:13  LMI101  module global CACHE is written",
        "    2 | CACHE[1] = x",
        "    called: handler (app.py:4) > keep (src/sto re.py:1)",
        "    fix: something else",
        "",
        "3 findings in 1 file; 3 files read",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_is_wrapped_on_a_narrow_terminal_only(report: Report, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    command = "polylambda check --run app.handler --seed 7 --invocations 16"
    long = replace(FINDING, fix="keep it per invocation, in a ContextVar or in an argument of the function")
    report = replace(report, findings=(long,), reproduce=command)
    terminal = Terminal()
    print_report(report, Format.TEXT, terminal)
    lines = re.sub(r"\x1b\[\d*(?:;\d+)*m", "", terminal.getvalue()).splitlines()
    at = lines.index("    fix: keep it per invocation, in")
    assert lines[at + 1 : at + 3] == ["        a ContextVar or in an argument", "        of the function"]
    assert f"again: {command}" in lines  # for copying
    assert all(len(line) <= 40 for line in lines if "again: " not in line)
    assert f"    fix: {long.fix}\n" in printed(report, Format.TEXT)


def test_brackets_are_no_markup(report: Report):
    odd = replace(FINDING, message="CACHE[red] :smile: is written")
    assert "CACHE[red] :smile: is written" in printed(replace(report, findings=(odd,)), Format.TEXT)


def test_json(report: Report):
    data = json.loads(printed(replace(report, problems=("x.py cannot be parsed",)), Format.JSON))
    assert data["findings"][1] == {
        "path": "src/sto re.py",
        "line": 2,
        "column": 5,
        "rule": "LMI101",
        "message": "module global CACHE is written",
        "fix": "keep it per invocation",
        "modes": ["task", "thread"],
        "trail": [
            {"function": "handler", "path": "app.py", "line": 4},
            {"function": "keep", "path": "src/sto re.py", "line": 1},
        ],
        "evidence": [],
    }
    assert data["findings"][0]["evidence"] == ["first\nsecond"]
    assert data["problems"] == ["x.py cannot be parsed"]


def test_github(report: Report):
    lines = printed(replace(report, problems=("x.py: no",)), Format.GITHUB).splitlines()
    assert len(lines) == 4
    first, second, problem, summary = lines
    assert second.startswith(
        "::error file=src/sto re.py,line=2,col=5,title=LMI101 module-global-written::module global CACHE"
    )
    assert "%0Afix: keep it per invocation" in second
    assert "a marker: 100%25, of another" in first
    assert "first%0Asecond" in first
    assert problem == "::warning title=polylambda check::x.py: no"
    assert summary == "2 findings in 2 files; 3 files read; 1 problem"


def test_github_properties_are_escaped(report: Report):
    odd = replace(FINDING, path="a,b:c%.py")
    assert "file=a%2Cb%3Ac%25.py,line=2," in printed(replace(report, findings=(odd,)), Format.GITHUB)


def sarif(report: Report) -> dict[str, Any]:
    log = json.loads(printed(report, Format.SARIF))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    return run


def test_sarif(report: Report):
    run = sarif(report)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["LMI101", "RUN101"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
    seen, written = run["results"]
    assert rules[seen["ruleIndex"]]["id"] == seen["ruleId"] == "RUN101"
    assert rules[written["ruleIndex"]]["id"] == written["ruleId"] == "LMI101"
    assert written["message"]["text"].startswith("module global CACHE is written. ")
    [location] = written["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "src/sto%20re.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 2, "startColumn": 5},
    }
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{report.root.as_uri()}/"
    assert len({result["partialFingerprints"]["polylambda/v1"] for result in run["results"]}) == 2


def test_sarif_follows_the_calls(report: Report):
    [flow] = sarif(report)["results"][1]["codeFlows"]
    steps = [each["location"] for each in flow["threadFlows"][0]["locations"]]
    assert [each["message"]["text"] for each in steps] == ["handler", "keep", "module global CACHE is written"]
    assert [each["physicalLocation"]["region"]["startLine"] for each in steps] == [4, 1, 2]


def test_sarif_of_files_elsewhere_and_of_no_line(report: Report):
    elsewhere = replace(FINDING, path="/opt/layer/app.py", line=0, column=0, trail=())
    [result] = sarif(replace(report, findings=(elsewhere,)))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "file:///opt/layer/app.py"}
    assert place["region"] == {"startLine": 1, "startColumn": 1}
    assert "codeFlows" not in result


def test_sarif_of_nothing(report: Report):
    run = sarif(replace(report, findings=(), problems=("x.py cannot be parsed",)))
    assert run["results"] == []
    [note] = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "x.py cannot be parsed"


def test_rules():
    file = io.StringIO()
    print_rules(file)
    lines = file.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == list(RULES)


def test_a_rule():
    file = io.StringIO()
    rule = RULES["LMI101"]
    print_rule(rule, file)
    for text in (rule.name, rule.summary, rule.production, rule.fix, *rule.why.values()):
        assert text in file.getvalue()
    assert f"    {rule.unsafe.splitlines()[0]}" in file.getvalue()
