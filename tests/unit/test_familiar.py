"""A head that is not parsed must mean what it would have meant, had it been parsed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.errors import ProtocolError
from polylambda.rapi import h1
from polylambda.rapi.events import Invocation
from polylambda.rapi.familiar import FamiliarHead

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    b"Lambda-Runtime-Invocation-Id:  attempt-1 \r\nLambda-Runtime-Deadline-Ms: 1542409706888\r\n"
    b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n"
    b"Lambda-Runtime-Trace-Id: Root=1-5bef4de7;Parent=9a91;Sampled=0\r\nLambda-Runtime-Client-Context: \r\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Length: 12\r\n\r\n"
)
NAMES = Invocation.__slots__


def parsed(head: bytes) -> tuple[dict[str, str], int] | None:
    """What a parser makes of the head; None: it refuses it, or there is no event in it."""
    try:
        status, version, headers = h1.parse_response_head(head[:-4])
        length = h1.content_length(headers)
    except ProtocolError:
        return None
    invocation = Invocation(b"", headers)
    if status != 200 or length is None or not h1.keeps_alive(version, headers) or not invocation.request_id:
        return None
    return {name: getattr(invocation, name) for name in NAMES}, length


def recalled(known: FamiliarHead, head: bytes) -> tuple[dict[str, str], int] | None:
    found = known.read(head.decode("latin-1"))
    return found and ({name: getattr(found[0], name) for name in NAMES}, found[1])


def known(head: bytes) -> FamiliarHead:
    return FamiliarHead(head, Invocation(b"", h1.parse_response_head(head[:-4])[2]))


def test_a_head_with_other_values_is_read_without_being_parsed() -> None:
    other = HEAD.replace(b"8476a536", b"00000000").replace(b"888\r\n", b"999\r\n").replace(b"attempt-1", b"attempt-2")
    other = other.replace(b"Root=1", b"Root=2").replace(b"08:00:00", b"08:00:01").replace(b": 12\r\n", b": 34\r\n")
    found = recalled(known(HEAD), other)

    assert found is not None
    assert found == parsed(other)
    fields, length = found
    assert (fields["invocation_id"], fields["deadline_ms"], length) == ("attempt-2", "1542409706999", 34)


@pytest.mark.parametrize(
    "name", [b"Content-Length: 12", b"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd"]
)
def test_a_head_without_what_is_needed_is_parsed_every_time(name: bytes) -> None:
    head = HEAD.replace(name + b"\r\n", b"")
    with pytest.raises(ValueError, match="HTTP"):
        known(head)


def test_a_head_with_a_value_twice_is_parsed_every_time() -> None:
    with pytest.raises(ValueError, match="trace-id"):
        known(HEAD.replace(b"Date: ", b"Lambda-Runtime-Trace-Id: "))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b": 12\r\n", b": 1x\r\n"),
        (b": 12\r\n", b":  2\r\n"),
        (b": 12\r\n", b": \xb2\xb2\r\n"),  # superscript two, a digit to Unicode
        (b"8476a536", b"84\r\n:536"),
        (b"8476a536", b"8476a5\n6"),
        (b"8476a536", b"8476a5\x006"),
        (b"08:00:00", b"08\r\nA:00"),
        (b"attempt-1", b" ttempt-1"),
        (b"function:f", b"function:g"),
        (b"200 OK", b"202 OK"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_anything_else_that_differs_is_parsed(old: bytes, new: bytes) -> None:
    assert HEAD.count(old) >= 1
    assert recalled(known(HEAD), HEAD.replace(old, new)) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(HEAD) - 5), st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b" ", b":", b"1", b"\xb2"])
        )
    ),
)
@example([(HEAD.index(b"12\r\n\r\n"), b"\xb2")])
def test_it_never_says_anything_but_what_the_parser_says(changes: list[tuple[int, bytes]]) -> None:
    head = bytearray(HEAD)
    for at, new in changes:
        head[at : at + len(new)] = new
    changed = bytes(head[: len(HEAD)])
    if not changed.endswith(b"\r\n\r\n") or changed.find(b"\r\n\r\n") != len(changed) - 4:
        return  # the head ends elsewhere: another length
    found = recalled(known(HEAD), changed)
    assert found is None or found == parsed(changed)


@given(st.binary(max_size=40))
def test_an_id_is_what_the_parser_says_it_is(value: bytes) -> None:
    old = b"8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    head = HEAD.replace(old, (value + old)[: len(old)])
    if head.find(b"\r\n\r\n") == len(head) - 4:
        found = recalled(known(HEAD), head)
        assert found is None or found == parsed(head)


def test_an_event_without_an_id_is_left_to_the_parser() -> None:
    head = HEAD.replace(b"8476a536-e9f4-11e8-9739-2dfe598c3fcd", b"")
    assert recalled(known(head), head) is None
