"""Events without types: strict JSON, whichever library reads it.

`tests/conformance/test_codec_like_awslambdaric.py` compares with AWS's runtime.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from polylambda import codec
from polylambda.errors import UnmarshalError
from tests.codec_strategies import FINITE_JSON_VALUES, JSON_TEXTS

LARGE = 40_000  # bytes: enough for msgspec

# Where libraries differ.
ODDITIES: dict[bytes, object] = {
    b"1e400": math.inf,
    b"-1e400": -math.inf,
    b"-0": 0,
    b"-0.0": -0.0,
    b"1E5": 1e5,
    b"1" * 200: int("1" * 200),
    b"18446744073709551616": 2**64,
    b"-9223372036854775809": -(2**63) - 1,
    b"0.1000000000000000055511151231257827021181583404541015625": 0.1,
    b'"\\ud800"': "\ud800",
    b'"\\udc00\\ud800"': "\udc00\ud800",
    b'"\\ud83d\\ude00"': "😀",
    b'"\x7f\xe2\x80\xa8"': "\x7f\u2028",
    b'"\\u0000"': "\0",
    b" \t\r\n1 \t\r\n": 1,
    b'{"a": 1, "b": 2, "a": 3}': {"a": 3, "b": 2},
    b"[" * 200 + b"]" * 200: json.loads("[" * 200 + "]" * 200),
}
NOT_JSON = [
    b"",
    b" ",
    b"NaN",
    b"[Infinity]",
    b"-Infinity",
    b"nul",
    b"{",
    b"[1,]",
    b'{"a": 1,}',
    b"{'a': 1}",
    b"{1: 2}",
    b"01",
    b"+1",
    b".5",
    b"5.",
    b"1e",
    b"0x1",
    b"1 2",
    b"1\0",
    b"\x0b1",
    b"\xc2\xa01",
    b'"a\nb"',
    b'"\x01"',
    b'"\\x41"',
    b'"\\u12"',
    b'"\\u+123"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    "{}".encode("utf-16"),
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32"),
    b"1" * 5000,
]


def _large(text: bytes) -> bytes:
    """An array that is large, with `text` as its last item."""
    return b'["' + b"x" * LARGE + b'",' + text + b"]"


@pytest.mark.parametrize("text", ODDITIES, ids=lambda text: repr(text[:20]))
def test_oddities(text: bytes) -> None:
    assert repr(codec.load(text)) == repr(ODDITIES[text])
    assert repr(codec.load(_large(text))[1]) == repr(ODDITIES[text])


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: repr(text[:20]))
def test_what_is_not_json_is_refused(text: bytes) -> None:
    for payload in (text, _large(text)):
        with pytest.raises(UnmarshalError, match=r"^Unable to unmarshal input: "):
            codec.load(payload)


def test_too_deep_is_refused() -> None:
    with pytest.raises(UnmarshalError, match=r"^Unable to unmarshal input: "):
        codec.load(b"[" * 200_000 + b"]" * 200_000)


def test_the_error_says_where() -> None:
    with pytest.raises(UnmarshalError) as caught:
        codec.load(b'{"a": 1,')
    assert str(caught.value).startswith("Unable to unmarshal input: ")
    assert "line 1 column 9" in str(caught.value)


def test_a_byte_order_mark_is_ignored() -> None:
    assert codec.load(b"\xef\xbb\xbf[1]") == [1]
    assert codec.load(b"\xef\xbb\xbf" + _large(b"1"))[1] == 1


def test_a_large_payload_is_read_by_msgspec_unless_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = _large(b"1")
    monkeypatch.setattr(codec, "_load_carefully", lambda payload: "json")
    assert codec.load(payload)[1] == 1
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert codec.load(payload) == "json"


@hypothesis.given(JSON_TEXTS)
def test_json_is_read_as_the_standard_library_reads_it(text: str) -> None:
    expected = repr(json.loads(text))
    assert repr(codec.load(text.encode())) == expected
    assert repr(codec._load_large(text.encode())) == expected


@hypothesis.given(JSON_TEXTS, st.data())
def test_damaged_texts_are_read_alike_whatever_their_size(text: str, data: st.DataObject) -> None:
    payload = bytearray(text.encode())
    start = data.draw(st.integers(0, len(payload)))
    payload[start : start + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    _assert_alike(bytes(payload))


@hypothesis.given(st.binary())
def test_any_bytes_are_read_alike_whatever_their_size(payload: bytes) -> None:
    _assert_alike(payload)


@hypothesis.given(FINITE_JSON_VALUES)
def test_values_survive_the_round_trip(value: object) -> None:
    assert repr(codec.load(codec.dump(value)[0])) == repr(value)


def _assert_alike(payload: bytes) -> None:
    expected = _outcome(codec._load_carefully, payload)
    assert _outcome(codec.load, payload) == expected
    assert _outcome(codec._load_large, payload) == expected


def _outcome(load: Callable[[bytes], Any], payload: bytes) -> str:
    try:
        return repr(load(payload))
    except UnmarshalError as error:
        return f"refused: {error}"
