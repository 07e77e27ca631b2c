from __future__ import annotations

import json
import uuid

import pytest

from polylambda.server.errors import Refusal
from polylambda.server.extensions import Extensions
from polylambda.server.function import FunctionConfiguration
from polylambda.server.wire import Reply

FUNCTION = FunctionConfiguration(name="f", version="7", handler="app.handler")


class Poll:
    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def deliver(self, reply: Reply) -> None:
        self.events.append(json.loads(reply.body))


def register(extensions: Extensions, name: str, events: str = "[]") -> str:
    reply = extensions.register(name, b'{"events": %b}' % events.encode())
    assert reply.status == 200
    assert json.loads(reply.body) == {"functionName": "f", "functionVersion": "7", "handler": "app.handler"}
    return reply.headers["Lambda-Extension-Identifier"]


def refused(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[int, str]:
    return refusal.value.status, refusal.value.error_type


def test_identifiers_are_uuids_of_their_own() -> None:
    extensions = Extensions(FUNCTION)
    identifiers = {register(extensions, name) for name in "abc"}
    assert len({uuid.UUID(identifier) for identifier in identifiers}) == 3
    assert extensions.names == ("a", "b", "c")


def test_shutdown_goes_to_whoever_asked_for_it_once_and_also_later() -> None:
    extensions = Extensions(FUNCTION)
    waiting, late, deaf = Poll(), Poll(), Poll()
    first = register(extensions, "first", '["SHUTDOWN"]')
    second = register(extensions, "second", '["SHUTDOWN"]')
    extensions.wait(first, waiting)
    extensions.wait(register(extensions, "deaf"), deaf)
    extensions.shut_down("spindown", 1_000)
    extensions.wait(second, late)
    event = {"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 1_000}
    assert (waiting.events, late.events, deaf.events) == ([event], [event], [])
    extensions.wait(first, waiting)
    assert waiting.events == [event]


def test_a_dead_poll_makes_room_for_another() -> None:
    extensions = Extensions(FUNCTION)
    identifier = register(extensions, "a", '["SHUTDOWN"]')
    dead, alive = Poll(), Poll()
    extensions.wait(identifier, dead)
    with pytest.raises(Refusal) as refusal:
        extensions.wait(identifier, alive)
    assert refused(refusal) == (403, "Extension.InvalidExtensionState")
    extensions.drop_poll(dead)
    extensions.wait(identifier, alive)
    extensions.shut_down("failure", 0)
    assert (len(dead.events), len(alive.events)) == (0, 1)


@pytest.mark.parametrize(
    ("name", "body", "error_type"),
    [
        (None, b'{"events":[]}', "Extension.InvalidExtensionName"),
        ("", b'{"events":[]}', "Extension.InvalidExtensionName"),
        ("x" * 129, b'{"events":[]}', "Extension.InvalidExtensionName"),
        ("a", b"", "InvalidRequestFormat"),
        ("a", b"[]", "InvalidRequestFormat"),
        ("a", b"\xff", "InvalidRequestFormat"),
        ("a", b'{"events":"SHUTDOWN"}', "InvalidRequestFormat"),
        ("a", b'{"events":[1]}', "InvalidRequestFormat"),
        ("a", b'{"events":["INVOKE","SHUTDOWN"]}', "Extension.InvalidEventType"),
        ("taken", b'{"events":[]}', "Extension.InvalidExtensionState"),
    ],
)
def test_a_wrong_registration_is_refused_and_leaves_nothing(name: str | None, body: bytes, error_type: str) -> None:
    extensions = Extensions(FUNCTION)
    register(extensions, "taken")
    with pytest.raises(Refusal) as refusal:
        extensions.register(name, body)
    assert refused(refusal) == (403, error_type)
    assert extensions.names == ("taken",)


def test_there_are_at_most_ten() -> None:
    extensions = Extensions(FUNCTION)
    for number in range(10):
        register(extensions, str(number))
    with pytest.raises(Refusal) as refusal:
        extensions.register("10", b'{"events":[]}')
    assert refused(refusal) == (403, "Extension.TooManyExtensions")


def test_registration_closes() -> None:
    extensions = Extensions(FUNCTION)
    extensions.close_registration()
    with pytest.raises(Refusal) as refusal:
        extensions.register("a", b'{"events":[]}')
    assert refused(refusal) == (403, "Extension.RegistrationClosed")


@pytest.mark.parametrize(
    ("identifier", "error_type"),
    [
        (None, "Extension.MissingExtensionIdentifier"),
        ("", "Extension.MissingExtensionIdentifier"),
        ("no uuid", "Extension.InvalidExtensionIdentifier"),
        (str(uuid.UUID(int=1)), "Extension.UnknownExtensionIdentifier"),
    ],
)
def test_a_wrong_identifier_is_refused(identifier: str | None, error_type: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Extensions(FUNCTION).wait(identifier, Poll())
    assert refused(refusal) == (403, error_type)
