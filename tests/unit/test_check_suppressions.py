"""Comments that suppress findings: which lines they hold for, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.check.finding import Finding, Mode
from polylambda.check.suppressions import Sifted, sift

KNOWN = ("LMI101", "LMI201", "LMI301", "ASYNC251", "RUF006")


def found(line: int, rule: str = "LMI101") -> Finding:
    return Finding("app.py", line, 5, rule, "a global is written", "do not", (Mode.TASK,))


def sifted(root: Path, source: str, *findings: Finding, expected: tuple[str, ...] = KNOWN) -> Sifted:
    (root / "app.py").write_text(source)
    return sift(findings, root, paths=["app.py"], known=KNOWN, expected=expected)


def left(root: Path, source: str, *findings: Finding) -> list[tuple[str, int]]:
    return [(each.rule, each.line) for each in sifted(root, source, *findings).findings]


REASON = "# polylambda: ignore[LMI101] -- prices never change"


@pytest.mark.parametrize(
    ("source", "hidden", "shown"),
    [
        pytest.param(f"a = 1\nb = 2  {REASON}\nc = 3\n", [2], [1, 3], id="on the line"),
        pytest.param(f"a = 1\n{REASON}\nb = 2\nc = 3\n", [3], [1, 4], id="on the line before"),
        pytest.param(f"a = 1\n{REASON}\n\n# and so on\nb = 2\n", [5], [1], id="before, with something between"),
        pytest.param(f"a = call(  {REASON}\n    1,\n    2,\n)\nb = 1\n", [1, 2, 3, 4], [5], id="first line"),
        pytest.param(f"a = call(\n    1,\n    2,\n)  {REASON}\nb = 1\n", [1, 2, 3, 4], [5], id="last line"),
        pytest.param(f"a = call(\n    1,  {REASON}\n    2,\n)\nb = 1\n", [1, 2, 3, 4], [5], id="a line between"),
        pytest.param(f"def f():  {REASON}\n    a = 1\n    b = 2\nc = 3\n", [1, 2, 3], [4], id="function"),
        pytest.param(f"@cache\ndef f():  {REASON}\n    a = 1\nc = 3\n", [1, 2, 3], [4], id="decorated function"),
        pytest.param(f"{REASON}\n@cache\ndef f():\n    a = 1\nc = 3\n", [2, 3, 4], [5], id="before a function"),
        pytest.param(f"async def f(\n    a,\n):  {REASON}\n    a = 1\nc = 3\n", [1, 4], [5], id="function over lines"),
        pytest.param(f"class A:  {REASON}\n    def f(self):\n        a = 1\nc = 3\n", [1, 3], [4], id="class"),
        pytest.param(f"if a:  {REASON}\n    b = 2\n", [1], [2], id="a condition without its body"),
        pytest.param(f"if a:\n    b = 2  {REASON}\nelse:\n    c = 3\n", [2], [1, 4], id="in a body"),
        pytest.param(f"with a:\n    {REASON}\n    b = 2\n    c = 3\n", [3], [1, 4], id="in a body, before"),
        pytest.param(
            '"""Doc."""\n# polylambda: ignore-file[LMI101] -- a script\na = 1\nb = 2\n', [1, 3, 4], [], id="file"
        ),
    ],
)
def test_what_it_holds_for(tmp_path: Path, source: str, hidden: list[int], shown: list[int]):
    assert left(tmp_path, source, *map(found, [*hidden, *shown])) == [("LMI101", line) for line in shown]


def test_the_rules_that_it_names_only(tmp_path: Path):
    source = "a = 1  # polylambda: ignore[LMI101, LMI201] -- one task writes\n"
    assert left(tmp_path, source, found(1), found(1, "LMI201"), found(1, "LMI301")) == [("LMI301", 1)]
    assert sifted(tmp_path, source, found(1), found(1, "LMI201"), found(1, "LMI301")).suppressed == 2


@pytest.mark.parametrize(
    "comment", ["ignore[LMI101]", "ignore[LMI101] --", "ignore[LMI101] because", "ignore[LMI101] --  "]
)
def test_without_a_reason(tmp_path: Path, comment: str):
    result = sifted(tmp_path, f"a = 1  # polylambda: {comment}\n", found(1))
    [complaint] = result.findings
    assert (complaint.rule, complaint.line, complaint.column) == ("LMI001", 1, 8)
    assert "LMI101" in complaint.message
    assert result.suppressed == 1


def test_without_a_rule(tmp_path: Path):
    assert left(tmp_path, "a = 1  # polylambda: ignore -- I know\n", found(1)) == [("LMI101", 1), ("LMI001", 1)]


def test_that_matches_nothing(tmp_path: Path):
    [complaint] = sifted(tmp_path, f"a = 1\nb = 2  {REASON}\n").findings
    assert (complaint.rule, complaint.line) == ("LMI002", 2)
    assert "LMI101 matches nothing" in complaint.message


def test_that_matches_nothing_because_nobody_looked(tmp_path: Path):
    assert sifted(tmp_path, f"b = 2  {REASON}\n", expected=("LMI201",)).findings == ()


def test_that_is_in_a_file_of_which_only_a_part_was_looked_at(tmp_path: Path):
    (tmp_path / "app.py").write_text(f"a = 1\nb = 2  {REASON}\n")
    result = sift([found(1)], tmp_path, known=KNOWN, expected=KNOWN)
    assert [each.rule for each in result.findings] == ["LMI101"]


def test_of_a_rule_that_does_not_exist(tmp_path: Path):
    source = "a = 1  # polylambda: ignore[LMI999] -- I know\n"
    [finding, complaint] = sifted(tmp_path, source, found(1)).findings
    assert (complaint.rule, finding.rule) == ("LMI002", "LMI101")
    assert "'LMI999'" in complaint.message


@pytest.mark.parametrize(
    ("comment", "suppressed"),
    [("# noqa", 1), ("# noqa: ASYNC251", 1), ("# noqa: F401, ASYNC251 # why", 1), ("# noqa: ASYNC230", 0), ("# no", 0)],
)
def test_noqa_is_for_the_rules_of_ruff(tmp_path: Path, comment: str, suppressed: int):
    source = f"time.sleep(1)  {comment}\n"
    assert sifted(tmp_path, source, found(1, "ASYNC251")).suppressed == suppressed
    assert sifted(tmp_path, source, found(1, "LMI301")).suppressed == 0


def test_a_string_is_no_comment(tmp_path: Path):
    assert left(tmp_path, 'a = "# polylambda: ignore[LMI101] -- no"\n', found(1)) == [("LMI101", 1)]


def test_a_file_that_is_no_python(tmp_path: Path):
    assert left(tmp_path, f"def (:  {REASON}\n", found(1)) == [("LMI101", 1)]
    assert left(tmp_path, f"def:  {REASON}\n", found(1)) == []
    assert left(tmp_path, "'''\n# polylambda: ignore[LMI101] -- no", found(1)) == [("LMI101", 1)]
    assert sift([found(1)], tmp_path / "nowhere").findings == (found(1),)
