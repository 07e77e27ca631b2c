"""What plane and agent say to each other survives the way, however it is cut."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.errors import ProtocolError
from polylambda.plane.agent import protocol
from polylambda.plane.agent.protocol import (
    AnswerEnd,
    AnswerHead,
    AnswerReader,
    EnvironmentChanged,
    EnvironmentMeasures,
    InstanceMeasures,
    InvocationHead,
    LogRecord,
    Part,
    encode_part,
)
from polylambda.plane.router import Cause
from polylambda.server.invocation import Invocation

EVENTS = [
    InstanceMeasures(cpu=0.5, memory=100.0, environments=2, pid=7),
    EnvironmentChanged("e1", "Ready", pid=8),
    EnvironmentChanged("e1", "Failed", "Runtime.ExitError", "exit status 1"),
    EnvironmentMeasures("e1", cpu=1.0, memory=2.5, in_use=0.25, polls=3, hot=Cause.CPU),
    EnvironmentMeasures("e1", cpu=1.0, memory=2.5, in_use=0.25, polls=3, hot=None),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_lines_of_json(event: protocol.Event) -> None:
    line = protocol.encode_event(event)
    assert line.count(b"\n") == 1
    assert "kind" in json.loads(line)
    assert protocol.decode_event(line) == event


def test_a_log_record_is_passed_on_as_it_is() -> None:
    record = b'{"time":"t","type":"function","record":"\xc3\xbc"}'
    event = protocol.decode_event(protocol.encode_event(LogRecord("e1", msgspec.Raw(record))))
    assert isinstance(event, LogRecord)
    assert bytes(event.record) == record
    assert not event.once
    event = protocol.decode_event(protocol.encode_event(LogRecord("e1", msgspec.Raw(record), once=True)))
    assert isinstance(event, LogRecord)
    assert event.once


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"kind": "new"}', b'{"kind": "measures", "id": 1}'])
def test_a_line_that_is_no_event(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_event(line)


texts = st.text(st.characters(codec="utf-8"))


@given(texts, texts, texts, texts, texts, st.booleans())
def test_invocations_travel_in_a_header(a: str, b: str, c: str, d: str, e: str, tail: bool) -> None:
    invocation = Invocation(
        payload=b"x", timeout=1.5, request_id=a, trace_id=b, client_context=c, identity=d, tenant_id=e
    )
    value = protocol.encode_invocation(InvocationHead.of(invocation, tail=tail))
    assert not any(byte < 32 or byte == 127 for byte in value)
    head = protocol.decode_invocation(value)
    assert head.invocation(b"x") == invocation
    assert head.tail is tail


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense", b'{"request_id": "a", "timeout": "b"}'])
def test_a_header_that_is_no_invocation(value: bytes) -> None:
    with pytest.raises(ProtocolError, match="x-polylambda-invocation"):
        protocol.decode_invocation(value)


parts = st.one_of(
    st.builds(AnswerHead, texts, st.booleans()),
    st.binary(min_size=1),
    st.builds(AnswerEnd, texts, st.none() | texts, st.binary(), texts),
)


def joined(found: list[Part]) -> list[Part]:
    """The parts, with pieces of the body put together."""
    result: list[Part] = []
    for part in found:
        if isinstance(part, bytes) and result and isinstance(result[-1], bytes):
            result[-1] += part
        else:
            result.append(part)
    return result


@given(st.lists(parts), st.data())
def test_answers_are_read_however_they_are_cut(answer: list[Part], data: st.DataObject) -> None:
    sent = b"".join(map(encode_part, answer))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    reader = AnswerReader()
    found = [part for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True) for part in reader.feed(sent[a:b])]
    assert joined(found) == joined(answer)


def test_a_body_is_not_kept_until_its_frame_is_whole() -> None:
    reader = AnswerReader()
    assert list(reader.feed(b"D\x00\x00\x10\x00abc")) == [b"abc"]


@pytest.mark.parametrize(
    "data", [b"X\x00\x00\x00\x00", b"H\xff\xff\xff\xff", b"E\x00\x00\x00\x02{}", b"H\x00\x00\x00\x01{"]
)
def test_bytes_that_are_no_answer(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="frame"):
        list(AnswerReader().feed(data))
