"""The machine's processes: whose they are, and what they use."""

from __future__ import annotations

import os

import psutil
import pytest

from polylambda.plane.agent import table
from polylambda.plane.agent.table import ProcessTable, Row, proportional_memory


def row(pid: int, parent: int, session: int) -> Row:
    return Row(pid, parent, session, 1.0, 10.0)


def test_a_tree_has_the_session_and_all_descendants() -> None:
    rows = [
        row(1, 0, 1),
        row(10, 1, 10),
        row(11, 10, 10),
        row(12, 1, 10),  # its parent has died
        row(13, 11, 13),  # it leads a session of its own
        row(14, 13, 13),
        row(20, 1, 20),
    ]
    assert {found.pid for found in ProcessTable(rows).tree(10)} == {10, 11, 12, 13, 14}
    assert ProcessTable(rows).tree(99) == []


@pytest.mark.parametrize("read", [table._linux, table._anywhere])
def test_this_process_is_in_it(read: object) -> None:
    if read is table._linux and not os.path.exists("/proc/self/stat"):
        pytest.skip("there is no /proc here")
    rows = {found.pid: found for found in read()}  # type: ignore[operator]
    own = rows[os.getpid()]
    assert (own.parent, own.session) == (os.getppid(), os.getsid(0))
    assert own.memory == pytest.approx(psutil.Process().memory_info().rss / table.MIB, rel=0.5)
    assert own.cpu > 0


def test_the_processes_of_others_are_looked_at_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.getpid()
    rows = [row(1, 0, 1), row(me, 1, 1), row(90, me, 90), row(91, 1, 90), row(70, 1, 70)]
    skipped: list[set[int]] = []

    def read(*, skip: set[int]) -> ProcessTable:
        skipped.append(set(skip))
        return ProcessTable(found for found in rows if found.pid not in skip)

    monkeypatch.setattr(ProcessTable, "read", read)
    watch = table.Watch()
    assert watch.read([]).pids == {1, me, 90, 91, 70}
    rows.append(row(92, 91, 90))
    rows.append(row(71, 70, 70))
    assert watch.read([90]).pids == {me, 90, 92, 71}
    for _ in range(table.FORGET_EVERY - 2):
        assert watch.read([90]).pids == {me, 90, 92}
    assert watch.read([90]).pids == {1, me, 90, 91, 92, 70, 71}
    assert skipped[-1] == set()


def test_shared_memory_counts_once() -> None:
    own = next(found for found in ProcessTable.read().tree(os.getpid()) if found.pid == os.getpid())
    assert 0 < proportional_memory([own]) <= own.memory * 1.5
    assert proportional_memory([row(2**22 + 1, 0, 0)]) == 0.0
