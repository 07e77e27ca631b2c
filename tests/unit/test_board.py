"""What every slot is at, in memory that two processes share."""

from __future__ import annotations

import os

import pytest

from polylambda.runtime.board import ANSWERING, BUSY, FREE, POLLING, Board, Held

ID, ATTEMPT = b"8476a536-e9f4-11e8-9739-2dfe598c3fcd", b"9f0c1f2a-1111-4222-8333-444455556666"


def held_by(board: Board, slot: int) -> Held:
    held = board.held(slot)
    assert held is not None
    return held


def test_a_slot_is_free_at_first_and_keeps_what_it_is_told() -> None:
    board = Board(3)
    assert [board.state(slot) for slot in range(3)] == [FREE] * 3
    board.set_state(1, POLLING)
    board.set_state(2, ANSWERING)
    assert [board.state(slot) for slot in range(3)] == [FREE, POLLING, ANSWERING]


def test_what_a_busy_slot_holds() -> None:
    board = Board(2)
    board.hold(1, ID, ATTEMPT, b"1542409706888")
    held = held_by(board, 1)

    assert board.state(1) == BUSY
    assert (held.request_id, held.invocation_id) == (ID.decode(), ATTEMPT.decode())
    assert held.deadline == 1542409706.888
    assert board.state(0) == FREE


def test_it_is_still_known_while_the_answer_goes_out() -> None:
    board = Board(1)
    board.hold(0, ID, ATTEMPT, b"1")
    board.set_state(0, ANSWERING)
    assert held_by(board, 0).request_id == ID.decode()


def test_a_shorter_invocation_leaves_nothing_of_a_longer_one() -> None:
    board = Board(1)
    board.hold(0, b"x" * 100, b"y" * 100, b"1542409706888")
    board.clear(0)
    board.hold(0, b"id", b"", b"")
    held = held_by(board, 0)
    assert (held.request_id, held.invocation_id, held.deadline) == ("id", "", 0)


@pytest.mark.parametrize(
    "deadline", [b"", b"soon", b"-5", b"1.5", b"9" * 19, b"9" * 400, "²".encode("latin-1")], ids=repr
)
def test_a_deadline_that_is_no_number_is_unknown(deadline: bytes) -> None:
    board = Board(1)
    board.hold(0, ID, b"", deadline)
    assert held_by(board, 0).deadline == 0


def test_the_latest_deadline_that_fits() -> None:
    board = Board(1)
    board.hold(0, ID, b"", b"9" * 18)
    assert held_by(board, 0).deadline == (10**18 - 1) / 1000


def test_ids_of_any_length_stay_in_their_row() -> None:
    board = Board(3)
    for slot in (0, 2):
        board.hold(slot, b"before", b"attempt", b"1000")
    board.hold(1, b"r" * 5000, b"i" * 5000, b"2000")

    assert set(held_by(board, 1).request_id) == {"r"}
    assert set(held_by(board, 1).invocation_id) == {"i"}
    assert len(held_by(board, 1).request_id) > 100
    for slot in (0, 2):
        held = held_by(board, slot)
        assert (board.state(slot), held.request_id, held.invocation_id, held.deadline) == (BUSY, "before", "attempt", 1)


def test_bytes_that_are_no_ascii_are_given_back_as_they_came() -> None:
    board = Board(1)
    board.hold(0, bytes(range(128, 228)), b"", b"")
    assert held_by(board, 0).request_id.encode("latin-1") == bytes(range(128, 228))


def test_who_takes_a_slot_over_begins_with_nothing() -> None:
    board = Board(2)
    assert not board.was_used(0)
    board.set_state(0, POLLING)
    assert not board.was_used(0)
    board.hold(0, ID, b"", b"1")
    board.set_state(0, POLLING)
    assert board.was_used(0)

    board.renew(0, POLLING)
    assert (board.state(0), board.was_used(0)) == (POLLING, False)
    board.hold(1, ID, b"", b"")
    board.renew(0, FREE)
    assert (board.state(0), board.state(1), board.was_used(1)) == (FREE, BUSY, True)


def test_another_process_sees_it_when_the_writer_is_dead() -> None:
    board = Board(2)
    pid = os.fork()
    if pid == 0:
        try:
            board.set_state(0, POLLING)
            board.hold(1, ID, ATTEMPT, b"1542409706888")
            os.kill(os.getpid(), 9)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9

    assert (board.state(0), board.state(1)) == (POLLING, BUSY)
    assert held_by(board, 1).request_id == ID.decode()
