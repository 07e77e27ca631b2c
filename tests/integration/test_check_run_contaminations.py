"""Every planted contamination is found, and found again by the command line that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polylambda.check.dynamic.options import RunOptions
from polylambda.check.finding import Mode
from polylambda.check.static import StaticOptions
from polylambda.check.static import check as read_source
from tests.integration.check_runs import Checker, checking

FOLDER = Path(__file__).parent.parent / "contaminations"
PLANTED = sorted(FOLDER.glob("*.py"))

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checking() as checker:
        yield checker


def options_of(path: Path, seed: int | None) -> tuple[RunOptions, str]:
    """What the comments in a file say: how it is run, and the rule that it breaks."""
    text = path.read_text()

    def said(key: str) -> list[str]:
        return re.findall(rf"^# {key}: (.*)$", text, re.MULTILINE)

    options = RunOptions(
        target=f"{path.stem}.handler",
        events=tuple(event.encode() for event in said("event")),
        mode=Mode(said("mode")[0]),
        concurrency=4,
        invocations=int((said("invocations") or ["8"])[0]),
        seed=seed,
        stall=float((said("stall") or ["0.1"])[0]),
        root=FOLDER,
    )
    return options, said("rule")[0]


def test_there_are_enough_of_them():
    assert len(PLANTED) >= 20


def test_none_is_seen_in_the_source():
    by_mode: dict[Mode, list[str]] = {}
    for path in PLANTED:
        options, _ = options_of(path, seed=None)
        assert options.mode is not None
        by_mode.setdefault(options.mode, []).append(path.name)
    for mode, names in by_mode.items():
        checked = read_source(StaticOptions(targets=tuple(names), root=FOLDER, mode=mode))
        assert not checked.findings
        assert len(checked.handlers) == len(names)


@pytest.mark.parametrize("path", PLANTED, ids=lambda path: path.stem)
def test_is_found_and_found_again(path: Path, checker: Checker):
    options, rule = options_of(path, seed=None)
    ran = checker(options)
    assert rule in {finding.rule for finding in ran.findings}, ran
    assert all(finding.evidence for finding in ran.findings)
    assert f"--seed {ran.seed}" in ran.reproduce
    assert ran.again is not None
    again = checker(ran.again)
    assert rule in {finding.rule for finding in again.findings}, again
