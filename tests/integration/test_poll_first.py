"""The next poll before the answer, on a second connection: what goes over which, and what can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from polylambda.rapi import aio, blocking, policy
from polylambda.rapi.address import Address
from polylambda.rapi.spares import Spares
from polylambda.report import report
from tests.integration import slots
from tests.integration.slots import DRIVERS, Answer, Held, Slot, Stream
from tests.integration.test_client import log  # noqa: F401 - a fixture
from tests.scripted import Peer, ScriptedServer


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every invocation is long, and what fails is tried again at once."""
    for module in (blocking, aio):
        monkeypatch.setattr(module, "_LONG", 0.0)
    monkeypatch.setattr(policy, "_DELAYS", (0.0, 0.0, 0.0, 0.0))


def serve(driver: str, script: Callable[[ScriptedServer], None], *answers: Answer, **options: bool) -> Slot:
    """Run a slot against `script`, which gives the answers one after the other, then the last one again."""
    given = [*answers, b"answer"]
    options = {"poll_first": True, **options}
    return slots.serve(driver, script, lambda _: given.pop(0) if len(given) > 1 else given[0], **options)


def begin(server: ScriptedServer) -> tuple[Peer, Peer]:
    """Give the first event; return its connection, and the one with the poll that came before the answer."""
    one = server.accept()
    one.poll()
    one.send_event("id-1")
    other = server.accept()
    other.poll()
    return one, other


def finish(server: ScriptedServer, peer: Peer) -> None:
    """Stop the client, whose poll is out on `peer`."""
    server.stop_client()
    assert peer.rest() == b""


def answer_second(server: ScriptedServer, other: Peer, following: Peer) -> None:
    """Take the answer to the second event on `other`, behind the poll that came before it on `following`; stop the client."""
    following.poll()
    other.answer("id-2")
    other.reply(202)
    finish(server, following)


def test_two_connections_take_turns(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        for number in range(1, 6):
            assert one.answer(f"id-{number}").body == b"answer"
            one.reply(202)
            other.send_event(f"id-{number + 1}")
            one.poll()
            one, other = other, one
        one.answer("id-6")
        one.reply(202)
        finish(server, other)
        assert one.rest() == b""

    assert serve(driver, script).ids == [f"id-{number}" for number in range(1, 7)]


def test_errors_are_answers_too(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1", "error")
        one.reply(202)
        finish(server, other)

    serve(driver, script, report(ValueError("no"), "id-1"))


def test_an_event_that_is_quicker_than_the_reply_waits_for_it(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        other.send_event("id-2")
        one.answer("id-1")
        one.reply(202)
        answer_second(server, other, one)

    assert serve(driver, script).ids == ["id-1", "id-2"]


@pytest.mark.parametrize(("status", "told"), [(400, True), (410, False), (413, True), (500, True)])
def test_a_refused_answer_is_told_and_the_poll_stays(
    driver: str,
    status: int,
    told: bool,
    log: list[str],  # noqa: F811
) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        one.reply(status, "Some.Error")
        other.send_event("id-2")
        answer_second(server, other, one)

    assert serve(driver, script).ids == ["id-1", "id-2"]
    assert any(line.startswith("ERROR the answer to id-1 was refused") for line in log) == told


def test_an_answer_that_was_cut_off_goes_out_again_beside_the_poll(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        one.reset()
        third = server.accept()
        third.answer("id-1")
        other.send_event("id-2")
        third.reply(202)
        answer_second(server, other, third)

    assert serve(driver, script).ids == ["id-1", "id-2"]


def test_an_answer_that_is_lost_does_not_take_the_poll_along(driver: str, log: list[str]) -> None:  # noqa: F811
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        one.reset()
        third = server.accept()
        third.answer("id-1")
        third.reset()
        other.send_event("id-2")
        fourth = server.accept()
        answer_second(server, other, fourth)

    assert serve(driver, script).ids == ["id-1", "id-2"]
    assert any(line.startswith("ERROR the answer to id-1 was lost") for line in log)


def test_a_connection_that_the_platform_closes_behind_an_answer_is_replaced(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        one.reply(202, close=True)
        other.send_event("id-2")
        third = server.accept()
        answer_second(server, other, third)

    assert serve(driver, script).ids == ["id-1", "id-2"]


def test_a_poll_that_went_to_a_closed_connection_is_sent_again(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        one.reply(202)
        one.close()
        other.send_event("id-2")
        other.answer("id-2")
        other.reply(202)
        third = server.accept()
        third.poll()
        finish(server, third)

    assert serve(driver, script).ids == ["id-1", "id-2"]


def test_a_poll_that_breaks_before_the_reply_is_sent_again(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        other.reset()
        one.reply(202)
        third = server.accept()
        third.poll()
        finish(server, third)

    assert serve(driver, script).ids == ["id-1"]


def test_without_a_second_connection_both_go_out_in_one_write(driver: str) -> None:
    gate = threading.Event()

    def script(server: ScriptedServer) -> None:
        one = server.accept()
        one.poll()
        server._listener.close()
        one.send_event("id-1")
        gate.set()
        one.answer("id-1")
        one.poll()
        one.reply(202)
        finish(server, one)

    serve(driver, script, Held(gate, b"answer"))


@pytest.mark.parametrize("reason", ["it is short", "it is large", "it is a stream", "it is off"])
def test_what_goes_out_as_ever(driver: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Answer = b"answer"
    if reason == "it is short":
        for module in (blocking, aio):
            monkeypatch.setattr(module, "_LONG", 1000.0)
    elif reason == "it is large":
        answer = bytes(200_000)
    elif reason == "it is a stream":
        answer = Stream([b"answer"])

    def script(server: ScriptedServer) -> None:
        one = server.accept()
        one.poll()
        one.send_event("id-1")
        one.answer("id-1")
        if reason == "it is a stream":
            one.reply(202)
            one = server.accept()
        if reason == "it is off":
            one.reply(202)
            one.poll()
        else:
            one.poll()
            if reason != "it is a stream":
                one.reply(202)
        finish(server, one)

    serve(driver, script, answer, pipelining=reason != "it is off")


def test_stopping_waits_for_the_reply_and_leaves_the_poll(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        server.stop_client()
        one.reply(202)
        assert other.rest() == b""
        assert one.rest() == b""

    assert serve(driver, script).ids == ["id-1"]


def test_an_event_that_has_come_when_the_client_is_stopped_is_handled(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        other.send_event("id-2")
        server.stop_client()
        one.reply(202)
        # On a connection that was shut for reading the reply could not be read.
        third = other if driver != "blocking" else server.accept()
        third.answer("id-2")
        third.reply(202)
        assert third.rest() == b""

    assert serve(driver, script).ids == ["id-1", "id-2"]


def test_an_answer_that_is_lost_while_the_client_is_stopped_leaves_the_poll_too(driver: str) -> None:
    def script(server: ScriptedServer) -> None:
        one, other = begin(server)
        one.answer("id-1")
        server.stop_client()
        one.reset()
        third = server.accept()
        third.answer("id-1")
        third.reset()
        assert other.rest() == b""

    assert serve(driver, script).ids == ["id-1"]


def test_spares_are_a_few() -> None:
    def script(server: ScriptedServer) -> None:
        for _ in range(9):
            server.accept()

    with ScriptedServer(script) as server:
        spares = Spares(Address(server.address))
        taken = [spares.take() for _ in range(8)]
        assert all(taken)
        assert spares.take() is None

        spares.give(taken[3])
        assert spares.take() is taken[3]
        assert spares.take() is None
        spares.give(None)  # one is used up: another can be made
        last = spares.take()
        assert last is not None
        for each in (*taken, last):
            assert each is not None
            each.close()
        spares.close()


def test_spares_of_a_platform_that_is_gone() -> None:
    spares = Spares(Address("127.0.0.1:9"))
    assert spares.take() is None
    spares.close()
