"""The trace header in the environment, with one invocation at a time."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from polylambda import tracing
from polylambda.tracing import TRACE_VARIABLE, set_trace, share


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_shared", False)
    monkeypatch.setattr(tracing, "_variable", None)
    monkeypatch.setattr(tracing, "_set", 0)
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


# After many invocations, in memory that is used again.


def seen_by_c() -> bytes | None:
    getenv = ctypes.PyDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(TRACE_VARIABLE.encode())


@pytest.fixture
def many(restored: None) -> None:
    for number in range(tracing._MANY):
        set_trace(f"Root=1-{number}")
    assert tracing._variable is not None


def check(header: str) -> None:
    """Make sure that everybody sees it."""
    assert os.environ[TRACE_VARIABLE] == os.getenv(TRACE_VARIABLE) == header
    assert seen_by_c() == header.encode()
    child = [sys.executable, "-S", "-c", f"import os; print(os.environ[{TRACE_VARIABLE!r}])"]
    assert subprocess.check_output(child, text=True) == f"{header}\n"


@pytest.mark.usefixtures("many")
def test_everybody_sees_the_header_after_many() -> None:
    check(f"Root=1-{tracing._MANY - 1}")
    for header in ("Root=1-longer;Parent=5eed5eed5eed5eed;Sampled=1", "short", "x" * tracing._ROOM):
        set_trace(header)
        check(header)


@pytest.mark.usefixtures("many")
def test_a_header_that_does_not_fit_goes_the_usual_way() -> None:
    for header in ("y" * (tracing._ROOM + 1), "Root=1-\xe9"):
        set_trace(header)
        assert os.environ[TRACE_VARIABLE] == header
        assert seen_by_c() == os.fsencode(header)
    set_trace("Root=1-again")
    check("Root=1-again")


@pytest.mark.usefixtures("many")
def test_handlers_may_set_and_remove_it() -> None:
    set_trace("Root=1-ours")
    os.environ[TRACE_VARIABLE] = "Root=1-theirs"
    check("Root=1-theirs")
    set_trace("Root=1-ours")
    check("Root=1-ours")
    del os.environ[TRACE_VARIABLE]
    assert seen_by_c() is None
    set_trace("Root=1-ours again")
    check("Root=1-ours again")
    set_trace("")
    assert TRACE_VARIABLE not in os.environ
    assert seen_by_c() is None


GROWTH = """
from polylambda.tracing import set_trace

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4

for number in range(110_000):
    if number == 10_000:
        before = resident()
    set_trace(f"Root=1-{number:08x}-5eed5eed5eed000000000000;Parent=5eed5eed5eed5eed;Sampled=0")
print(resident() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux tells how much memory a process has")
def test_headers_take_no_memory() -> None:
    """Given to setenv(3), each would take some 150 bytes for ever: 15,000 KiB here."""
    assert int(subprocess.check_output([sys.executable, "-c", GROWTH], text=True)) < 2000


def test_without_ctypes_it_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    for number in range(tracing._MANY + 10):
        set_trace(f"Root=1-{number}")
    assert tracing._variable is None
    assert os.environ[TRACE_VARIABLE] == f"Root=1-{tracing._MANY + 9}"
