"""What a worker notes of each slot, step by step, so that its supervisor knows when it dies."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from polylambda.rapi.events import Invocation
from polylambda.runtime.board import ANSWERING, BUSY, FREE, INBOX_SIZE, POLLING, Board
from polylambda.runtime.keeper import SLOT_BYTES, SlotKeeper, line_of

ID, ATTEMPT, DEADLINE = "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "attempt-1", "1542409706888"
REPLY = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'
HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    f"Lambda-Runtime-Aws-Request-Id: {ID}\r\nLambda-Runtime-Invocation-Id: {ATTEMPT}\r\n"
    f"Lambda-Runtime-Deadline-Ms: {DEADLINE}\r\nContent-Length: 2\r\n\r\n"
).encode()
EVENT = HEAD + b"{}"
INVOCATION = Invocation(
    b"{}",
    {
        "lambda-runtime-aws-request-id": ID,
        "lambda-runtime-invocation-id": ATTEMPT,
        "lambda-runtime-deadline-ms": DEADLINE,
    },
)


class Desk:
    """A keeper of slot 1 of two, and the supervisor's end of its channel."""

    def __init__(self, adopted: int | None = None) -> None:
        self.board = Board(2)
        self.supervisor, self.channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.setblocking(False)
        self.keeper = SlotKeeper(self.board, self.channel, 1, adopted)
        self._platform, self._connection = socket.socketpair()

    def arrives(self, data: bytes, *, begun: bool = False) -> bytes:
        """Have `data` come in; return what is read of it at once."""
        self._platform.sendall(data)
        return self.keeper.receive(self._connection, begun)

    def close(self) -> None:
        for each in (self.supervisor, self.channel, self._platform, self._connection):
            each.close()

    @property
    def state(self) -> int:
        assert self.board.state(0) == FREE, "the other slot's row is not this keeper's"
        return self.board.state(1)

    @property
    def held(self) -> tuple[str, str, float] | None:
        held = self.board.held(1)
        return held and (held.request_id, held.invocation_id, held.deadline)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


KNOWN = (ID, ATTEMPT, int(DEADLINE) / 1000)


# What arrives


@pytest.mark.parametrize("before", [b"", REPLY], ids=["alone", "behind the reply to an answer"])
@pytest.mark.parametrize("spelling", [bytes, bytes.lower, bytes.upper], ids=["as AWS's", "lower", "upper"])
def test_an_event_is_known_as_soon_as_it_is_read(desk: Desk, before: bytes, spelling: object) -> None:
    assert callable(spelling)
    names = spelling(HEAD.replace(ID.encode(), b"%s").replace(ATTEMPT.encode(), b"%s"))
    event = names.replace(b"%S", b"%s") % (ID.encode(), ATTEMPT.encode()) + b"{}"
    desk.keeper.polling()
    assert desk.arrives(before + event) == before + event
    assert desk.held == KNOWN

    desk.keeper.received(INVOCATION)
    assert (desk.state, desk.held) == (BUSY, KNOWN)


def test_spaces_around_a_value_are_not_its(desk: Desk) -> None:
    desk.arrives(HEAD.replace(b"Request-Id: ", b"Request-Id:").replace(b"Id: attempt-1", b"Id: \t attempt-1 "))
    assert desk.held == KNOWN


@pytest.mark.parametrize("before", [b"", REPLY], ids=["alone", "behind a reply"])
def test_wherever_an_event_is_cut_it_is_known_by_the_time_it_is_read(desk: Desk, before: bytes) -> None:
    data = before + EVENT
    for cut in range(1, len(data)):
        desk.keeper.polling()
        desk.arrives(data[:cut])
        assert desk.state == POLLING
        assert desk.held is None or desk.held[0] == ID, "an id of which not all has come is none"
        desk.arrives(data[cut:], begun=True)
        desk.keeper.received(INVOCATION)
        assert (desk.state, desk.held) == (BUSY, KNOWN)


def test_an_end_of_the_id_is_seen_at_the_earliest_with_its_line(desk: Desk) -> None:
    line_end = HEAD.index(ID.encode()) + len(ID) + 2
    desk.keeper.polling()
    desk.arrives(HEAD[: line_end - 1])
    assert desk.held is None
    desk.keeper.polling()
    desk.arrives(HEAD[:line_end])
    assert desk.held == (ID, "", 0)


def test_the_reply_to_an_answer_is_no_event(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(REPLY)
    assert (desk.state, desk.held) == (POLLING, None)


def test_nothing_of_what_came_before_completes_what_comes_in_pieces(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(REPLY.replace(b"Content-Type", b"X-" + b"y" * 400 + b": 1\r\nContent-Type"))
    cut = EVENT.index(ATTEMPT.encode())
    desk.arrives(EVENT[:cut])
    assert desk.held == (ID, "", 0)
    desk.arrives(EVENT[cut:], begun=True)
    desk.keeper.received(INVOCATION)
    assert desk.held == KNOWN


def test_a_reply_without_an_id_is_no_event(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(b"HTTP/1.1 200 OK\r\nX-Lambda-Runtime-Aws-Request-Id: no\r\nContent-Length: 2\r\n\r\n{}")
    assert desk.held is None
    desk.arrives(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: \r\nContent-Length: 2\r\n\r\n{}")
    assert desk.held is None


def test_an_event_whose_head_is_longer_than_the_inbox(desk: Desk) -> None:
    long = HEAD.replace(b"Content-Type: application/json", b"Lambda-Runtime-Client-Context: " + b"x" * INBOX_SIZE)
    desk.keeper.polling()
    assert desk.arrives(long) == long[:INBOX_SIZE]
    assert desk.held is None
    desk.arrives(b"", begun=True)
    desk.keeper.received(INVOCATION)
    assert (desk.state, desk.held) == (BUSY, KNOWN)


def test_what_is_read_while_an_event_is_held_does_not_displace_it(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(EVENT)
    desk.keeper.received(INVOCATION)
    other = EVENT.replace(ID.encode(), b"other")
    assert desk.arrives(other) == other
    assert desk.held == KNOWN
    desk.keeper.answering()
    assert desk.arrives(REPLY) == REPLY
    assert desk.held == KNOWN


def test_the_end_of_a_connection_is_no_event(desk: Desk) -> None:
    desk.keeper.polling()
    desk._platform.close()
    assert desk.keeper.receive(desk._connection, False) == b""
    assert (desk.state, desk.held) == (POLLING, None)


def test_an_event_without_an_attempt_or_a_deadline(desk: Desk) -> None:
    desk.keeper.received(Invocation(b"", {"lambda-runtime-aws-request-id": ID}))
    assert (desk.state, desk.held) == (BUSY, (ID, "", 0))


# The steps of a connection


@pytest.mark.parametrize(
    ("before", "after"), [(FREE, FREE), (POLLING, POLLING), (BUSY, ANSWERING), (ANSWERING, ANSWERING)]
)
def test_an_answer_goes_out_only_for_what_is_held(desk: Desk, before: int, after: int) -> None:
    desk.board.set_state(1, before)
    desk.keeper.answering()
    assert desk.state == after


@pytest.mark.parametrize("before", [FREE, POLLING, BUSY, ANSWERING])
def test_a_poll_that_is_out_ends_what_was_before(desk: Desk, before: int) -> None:
    desk.board.set_state(1, before)
    desk.arrives(EVENT)
    desk.keeper.polling()
    assert (desk.state, desk.held) == (POLLING, None)


@pytest.mark.parametrize(("before", "after"), [(FREE, FREE), (POLLING, FREE), (BUSY, BUSY), (ANSWERING, BUSY)])
def test_on_a_new_connection_nothing_is_out_and_what_was_held_still_is(desk: Desk, before: int, after: int) -> None:
    desk.board.hold(1, ID.encode(), b"", b"")
    desk.board.set_state(1, before)
    desk.keeper.opened(desk.channel.fileno())
    assert desk.state == after
    assert desk.held == (ID, "", 0)


@pytest.mark.parametrize(("before", "after"), [(FREE, FREE), (POLLING, FREE), (BUSY, BUSY), (ANSWERING, ANSWERING)])
def test_with_a_connection_its_poll_ends_and_not_what_was_held(desk: Desk, before: int, after: int) -> None:
    desk.board.hold(1, ID.encode(), b"", b"")
    desk.board.set_state(1, before)
    desk.keeper.closed()
    assert desk.state == after
    assert desk.held == (ID, "", 0)


def test_the_life_of_a_slot(desk: Desk) -> None:
    steps = [
        (lambda: desk.keeper.opened(desk.channel.fileno()), FREE),
        (desk.keeper.polling, POLLING),
        (lambda: desk.arrives(EVENT), POLLING),
        (lambda: desk.keeper.received(INVOCATION), BUSY),
        (desk.keeper.answering, ANSWERING),
        (desk.keeper.polling, POLLING),
        (lambda: desk.arrives(REPLY), POLLING),
        (lambda: desk.arrives(EVENT), POLLING),
        (lambda: desk.keeper.received(INVOCATION), BUSY),
        (desk.keeper.answering, ANSWERING),
        (desk.keeper.closed, ANSWERING),  # it broke in the middle
        (lambda: desk.keeper.opened(desk.channel.fileno()), BUSY),  # and the answer may not have gone out
        (desk.keeper.answering, ANSWERING),
        (desk.keeper.polling, POLLING),
        (desk.keeper.closed, FREE),
        (lambda: desk.keeper.opened(desk.channel.fileno()), FREE),
        (desk.keeper.polling, POLLING),
    ]
    for step, state in steps:
        step()
        assert desk.state == state


# Connections


def test_the_supervisor_gets_a_copy_of_every_connection(desk: Desk) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        desk.keeper.opened(ours.fileno())
        data, fds, _, _ = socket.recv_fds(desk.supervisor, SLOT_BYTES, 1)
        assert int.from_bytes(data, "little") == line_of(1, 0)
        (copy,) = fds
        assert copy != ours.fileno()
        os.write(copy, b"the same")
        os.close(copy)
        assert theirs.recv(100) == b"the same"


def test_a_supervisor_that_is_gone_is_no_failure(desk: Desk) -> None:
    desk.supervisor.close()
    desk.keeper.opened(desk.channel.fileno())
    assert desk.state == FREE


@pytest.mark.parametrize("before", [b"", REPLY, REPLY + EVENT, EVENT[:50]], ids=len)
def test_a_predecessors_connection_is_handed_over_once_with_what_came(before: bytes) -> None:
    desk = Desk(adopted=42)
    desk.keeper.polling()
    if before:
        desk.arrives(before)
    assert desk.board.pass_on(1)
    successor = SlotKeeper(desk.board, desk.channel, 1, 43)
    assert successor.adopt() == (43, before)
    assert successor.adopt() is None
    desk.close()


def test_what_came_is_passed_on_until_an_event_is_handled(desk: Desk) -> None:
    """Also by a successor that dies before it has looked at it."""
    desk.keeper.polling()
    desk.arrives(EVENT)
    for _ in range(3):
        assert desk.board.pass_on(1)
        assert SlotKeeper(desk.board, desk.channel, 1, 43).adopt() == (43, EVENT)
    successor = SlotKeeper(desk.board, desk.channel, 1, 43)
    successor.adopt()
    successor.received(INVOCATION)
    assert (desk.state, desk.held) == (BUSY, KNOWN)
    successor.polling()
    assert desk.board.received(1) == b""


def test_nothing_is_passed_on_of_what_came_in_more_pieces(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(EVENT[:50])
    assert desk.board.pass_on(1)
    desk.arrives(EVENT[50:], begun=True)
    assert not desk.board.pass_on(1)
    desk.keeper.received(INVOCATION)
    desk.keeper.polling()
    assert desk.board.pass_on(1)


def test_what_a_successor_was_given_does_not_stay(desk: Desk) -> None:
    desk.keeper.polling()
    desk.arrives(REPLY)
    successor = SlotKeeper(desk.board, desk.channel, 1, 43)
    successor.adopt()
    desk._platform.sendall(EVENT[:50])
    successor.receive(desk._connection, False)
    assert desk.board.received(1) == EVENT[:50]


def test_most_slots_have_no_predecessor(desk: Desk) -> None:
    assert desk.keeper.adopt() is None


def test_a_worker_that_was_killed_has_told_what_it_held(desk: Desk) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            try:
                desk.keeper.opened(ours.fileno())
                desk.keeper.polling()
                desk.arrives(EVENT)
                os.kill(os.getpid(), 9)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
        assert (desk.state, desk.held) == (POLLING, KNOWN)
        _, (copy,), _, _ = socket.recv_fds(desk.supervisor, SLOT_BYTES, 1)
        os.close(copy)
