"""The trace header in the environment, with one invocation at a time."""

from __future__ import annotations

import os

import pytest

from polylambda import tracing
from polylambda.tracing import TRACE_VARIABLE, set_trace, share


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_shared", False)
    monkeypatch.setenv(TRACE_VARIABLE, "Root=1-before")


def test_each_invocation_sets_its_own() -> None:
    set_trace("Root=1-one")
    assert os.environ[TRACE_VARIABLE] == "Root=1-one"
    set_trace("Root=1-two")
    assert os.environ[TRACE_VARIABLE] == "Root=1-two"


def test_one_without_a_header_removes_its_predecessors() -> None:
    set_trace("")
    assert TRACE_VARIABLE not in os.environ
    set_trace("")
    assert TRACE_VARIABLE not in os.environ


def test_nobody_sets_it_while_several_share_the_process() -> None:
    share(True)
    assert TRACE_VARIABLE not in os.environ, "it would be a predecessor's for all of them"
    set_trace("Root=1-one")
    assert TRACE_VARIABLE not in os.environ

    share(False)
    set_trace("Root=1-two")
    assert os.environ[TRACE_VARIABLE] == "Root=1-two"
