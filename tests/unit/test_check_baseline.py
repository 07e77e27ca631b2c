"""The file of findings that are known: robust to lines that move, and honest about what is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polylambda.check.baseline import Baseline, fingerprints
from polylambda.check.finding import Finding, Mode
from polylambda.errors import ConfigurationError

SOURCE = (
    "CACHE = {}\n\n\ndef handler(event, context):\n    CACHE[1] = event\n    CACHE[2] = event\n    CACHE[1] = event\n"
)


def found(line: int, rule: str = "LMI101", path: str = "app.py") -> Finding:
    return Finding(path, line, 5, rule, "module global CACHE is written", "do not", (Mode.TASK,))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    return tmp_path


def written(root: Path, *findings: Finding) -> Baseline:
    Baseline.of(findings, root).write(root / "known.json")
    return Baseline.read(root / "known.json")


def test_what_is_known_does_not_count(root: Path):
    compared = written(root, found(5)).compare([found(5), found(6)], root)
    assert (compared.new, compared.known, compared.gone) == ((found(6),), 1, ())


def test_lines_may_move_and_be_formatted(root: Path):
    baseline = written(root, found(5), found(6))
    (root / "app.py").write_text("import os\n" + SOURCE.replace("    CACHE[1] =", "      CACHE[1]  ="))
    compared = baseline.compare([found(6), found(7)], root)
    assert (compared.new, compared.known, compared.gone) == ((), 2, ())


def test_another_one_that_looks_the_same_is_new(root: Path):
    baseline = written(root, found(5))
    assert baseline.compare([found(5), found(7)], root).new == (found(7),)


def test_another_rule_or_file_is_new(root: Path):
    (root / "other.py").write_text(SOURCE)
    baseline = written(root, found(5))
    others = (found(5, rule="LMI105"), found(5, path="other.py"))
    assert baseline.compare(others, root).new == others


def test_what_is_gone(root: Path):
    compared = written(root, found(5), found(6)).compare([found(6)], root)
    assert [(each.path, each.line, each.rule) for each in compared.gone] == [("app.py", 5, "LMI101")]
    assert compared.known == 1


def test_a_changed_line_is_new_and_gone(root: Path):
    baseline = written(root, found(6))
    (root / "app.py").write_text(SOURCE.replace("CACHE[2]", "CACHE[3]"))
    compared = baseline.compare([found(6)], root)
    assert compared.new == (found(6),)
    assert len(compared.gone) == 1


def test_fingerprints_are_in_the_order_of_findings(root: Path):
    both = (found(7), found(5))
    assert fingerprints(both, root) == tuple(reversed(fingerprints(both[::-1], root)))
    assert len(set(fingerprints(both, root))) == 2


def test_where_there_is_no_source(tmp_path: Path):
    [known] = fingerprints([found(5)], tmp_path)
    assert known == fingerprints([found(9)], tmp_path)[0]


def test_the_file_reads_well(root: Path):
    written(root, found(6), found(5))
    lines = (root / "known.json").read_text().splitlines()
    assert [json.loads(line.rstrip(","))["line"] for line in lines if "LMI101" in line] == [5, 6]
    written(root)
    assert json.loads((root / "known.json").read_text())["findings"] == []


def test_there_is_no_file(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"no baseline .*none.json.*--write-baseline"):
        Baseline.read(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"findings": [{"rule": "LMI101"}]}', '{"findings": 3}'])
def test_a_file_that_is_none(tmp_path: Path, text: str):
    (tmp_path / "known.json").write_text(text)
    with pytest.raises(ConfigurationError, match="is no baseline"):
        Baseline.read(tmp_path / "known.json")


def test_a_file_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Baseline([]).write(tmp_path / "nowhere" / "known.json")
