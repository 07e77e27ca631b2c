"""Events and results without types, against awslambdaric's marshaller: the same values, the same JSON, the same refusals.

The marshaller runs in a Python of its own, as it is installed there, as on old runtimes (ASCII only) and as on new ones.
"""

from __future__ import annotations

import json
import pickle
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from polylambda import codec
from polylambda.errors import MarshalError, UnmarshalError
from tests.codec_strategies import JSON_TEXTS, VALUES

MARSHALLER = """
import os, pickle, struct, sys
sys.path.insert(0, sys.argv[1])
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

old = LambdaMarshaller()
os.environ["AWS_EXECUTION_ENV"] = "AWS_Lambda_python3.13"
new = LambdaMarshaller()


def outcome(method, argument):
    try:
        return True, method(argument)
    except Exception as error:
        return False, error.msg


while size := sys.stdin.buffer.read(4):
    method, argument = pickle.loads(sys.stdin.buffer.read(*struct.unpack("!I", size)))
    answer = pickle.dumps([outcome(getattr(each, method), argument) for each in (old, new)])
    sys.stdout.buffer.write(struct.pack("!I", len(answer)) + answer)
    sys.stdout.buffer.flush()
"""

Call = Callable[[str, object], list[tuple[bool, Any]]]


@pytest.fixture(scope="module")
def awslambdaric(awslambdaric_python: str) -> Iterator[Call]:
    """Call a method of awslambdaric's marshallers; each gives whether it succeeded, and its result or what it said."""
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [awslambdaric_python, "-c", MARSHALLER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        to_child, from_child = child.stdin, child.stdout

        def call(method: str, argument: object) -> list[tuple[bool, Any]]:
            question = pickle.dumps((method, argument), protocol=4)
            to_child.write(struct.pack("!I", len(question)) + question)
            to_child.flush()
            (size,) = struct.unpack("!I", from_child.read(4))
            return pickle.loads(from_child.read(size))

        yield call
        to_child.close()


def _assert_same_event(awslambdaric: Call, payload: bytes) -> None:
    accepted, theirs = awslambdaric("unmarshal_request", payload)[0]
    for load in (codec.load, codec._load_large):
        if accepted:
            assert repr(load(payload)) == repr(theirs)
            continue
        with pytest.raises(UnmarshalError) as caught:
            load(payload)
        assert theirs.startswith("Unable to unmarshal input: ")
        assert str(caught.value).startswith("Unable to unmarshal input: ")


@hypothesis.given(JSON_TEXTS)
def test_events(awslambdaric: Call, text: str) -> None:
    _assert_same_event(awslambdaric, text.encode())


@hypothesis.given(JSON_TEXTS, st.data())
def test_damaged_events(awslambdaric: Call, text: str, data: st.DataObject) -> None:
    payload = bytearray(text.encode())
    start = data.draw(st.integers(0, len(payload)))
    payload[start : start + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    _assert_same_event(awslambdaric, bytes(payload))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"NaN",
        b"[-Infinity]",
        b"1e400",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-le"),
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\n"',
        b"1\0",
        b"\x0c1",
        b"[1,]",
        b"1" * 4300,
        b"1" * 4301,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_odd_events(awslambdaric: Call, payload: bytes) -> None:
    _assert_same_event(awslambdaric, payload)


@pytest.fixture(scope="module", autouse=True)
def before_any_large_result() -> Iterator[None]:
    """Let json try first in `dump`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_encode_large", None)
        yield


@hypothesis.given(VALUES)
@hypothesis.settings(max_examples=500)
def test_results(awslambdaric: Call, value: object) -> None:
    by_msgspec = codec._dump_large(value, msgspec.json.Encoder().encode)
    body, content_type, refusal = b"", "", ""
    try:
        body, content_type = codec.dump(value)
    except MarshalError as error:
        refusal = str(error)
    for accepted, theirs in awslambdaric("marshal_response", value):
        if not accepted:
            assert theirs.startswith("Unable to marshal response: ")
            assert refusal.startswith("Unable to marshal response: ")
            assert by_msgspec is None
            continue
        assert not refusal
        assert content_type == theirs[1]
        if content_type != "application/json":
            assert body == theirs[0]
            continue
        assert _parse(body.decode()) == _parse(theirs[0])
        assert by_msgspec is None or _parse(by_msgspec.decode()) == _parse(theirs[0])


_EXPONENT = re.compile(r"^(-?[0-9.]+)e([0-9]+)$")


def _parse(text: str) -> Any:
    """JSON with every number as its digits say, and NaN equal to NaN; also numbers that are keys, `1e16` or `1e+16`."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        return {_EXPONENT.sub(r"\1e+\2", key): value for key, value in items}

    return json.loads(text, parse_float=Decimal, parse_constant=str, object_pairs_hook=pairs)


def test_a_large_event_comes_back_as_from_awslambdaric(awslambdaric: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_encode_large", msgspec.json.Encoder().encode)
    records = [
        {"id": number, "price": number / 7, "name": f"ñ{number}", "of": [None, {"deep": number * 10**20}], "vip": True}
        for number in range(5000)
    ]
    payload = json.dumps(records).encode()
    event = codec.load(payload)
    assert event == awslambdaric("unmarshal_request", payload)[0][1]
    for _, (body, _) in awslambdaric("marshal_response", event):
        assert json.loads(codec.dump(event)[0]) == json.loads(body)
