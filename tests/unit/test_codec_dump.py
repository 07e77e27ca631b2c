"""Results without types: the JSON of AWS's runtime, whichever library writes it.

`tests/conformance/test_codec_like_awslambdaric.py` compares with AWS's runtime.
"""

from __future__ import annotations

import collections
import datetime as dt
import enum
import json
import math
import sys
import uuid
from decimal import Decimal
from typing import Any

import hypothesis
import msgspec
import pytest

from polylambda import codec
from polylambda.errors import MarshalError, UnmarshalError
from tests.codec_strategies import VALUES
from tests.codec_values import Colour, Entries, Items, Kind, Level, OddRow, Point, Real, Record, Row, Text, Whole

LARGE = 40_000  # bytes: enough for msgspec

TAKEN: list[tuple[object, str]] = [
    (None, "null"),
    ("", '""'),
    ('é"\\/\0\x7f\n\u2028😀', r'"é\"\\/\u0000\u007f\n\u2028😀"'),
    (True, "true"),
    (10**30, "1" + "0" * 30),
    (1e22, "1e22"),
    (math.nan, "NaN"),
    (-math.inf, "-Infinity"),
    ({"a": (1, [2.5, None])}, '{"a": [1, [2.5, null]]}'),
    (
        {2: 1, 2.5: 2, True: 3, None: 4, math.nan: 5, 1e22: 6},
        '{"2": 1, "2.5": 2, "true": 3, "null": 4, "NaN": 5, "1e+22": 6}',
    ),
    ({b"k": b"v"}, '{"k": "v"}'),
    ([b"\xc3\xa9"], '["é"]'),
    (Decimal("1.10"), "1.10"),
    ({"n": [Decimal("-0E-10"), Decimal("1E+5")], "s": "1.10"}, '{"n": [-0E-10, 1E+5], "s": "1.10"}'),
    ([Decimal("NaN"), Decimal("-NaN"), Decimal("sNaN")], "[NaN, NaN, NaN]"),
    ([Decimal("Infinity"), Decimal("-Infinity")], "[Infinity, -Infinity]"),
    (Point(1, [Point(2, Decimal("0.5"))]), '{"x": 1, "y": [{"x": 2, "y": 0.5}]}'),
    ([Row()], '[{"id": 1, "name": "n"}]'),
    ([Text("t"), Whole(1), Real(2.5), Items([1]), Entries(a=1)], '["t", 1, 2.5, [1], {"a": 1}]'),
    ({Text("k"): 1, Whole(2): 2, Colour.RED: 3, Level.HIGH: 4}, '{"k": 1, "2": 2, "red": 3, "3": 4}'),
    ([Colour.RED, Level.HIGH], '["red", 3]'),
    (collections.OrderedDict(a=1), '{"a": 1}'),
    (collections.defaultdict(list, a=[Decimal(1)]), '{"a": [1]}'),
    ("\ud800 and é", r'"\ud800 and é"'),
    ({"\udc00": [Decimal(1)]}, r'{"\udc00": [1]}'),
]

REFUSED: list[tuple[object, str]] = [
    ({1}, "Object of type set is not JSON serializable"),
    ([frozenset([1])], "Object of type frozenset is not JSON serializable"),
    (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "Object of type datetime is not JSON serializable"),
    ({"d": dt.date(2026, 1, 1)}, "Object of type date is not JSON serializable"),
    (uuid.UUID(int=1), "Object of type UUID is not JSON serializable"),
    (Kind.PLAIN, "Object of type Kind is not JSON serializable"),
    (Record(), "Object of type Record is not JSON serializable"),
    ([bytearray(b"a")], "Object of type bytearray is not JSON serializable"),
    (memoryview(b"a"), "Object of type memoryview is not JSON serializable"),
    (1j, "Object of type complex is not JSON serializable"),
    (iter([1]), "Object of type list_iterator is not JSON serializable"),
    (msgspec.Raw(b"1"), "Object of type Raw is not JSON serializable"),
    ({(1, 2): 1}, "keys must be str, int, float, bool or None, not tuple"),
    ({Decimal(1): 1}, "keys must be str, int, float, bool or None, not "),
    ({dt.date(2026, 1, 1): 1}, "keys must be str, int, float, bool or None, not "),
    ([b"\xff"], "'utf-8' codec can't decode byte 0xff"),
    (10**5000, "Exceeds the limit"),
    (OddRow(), r"_asdict\(\) must return a dict, not list"),
]


@pytest.fixture(params=["json", "msgspec"])
def first(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who tries first: json before the first large result, msgspec after it."""
    monkeypatch.setattr(codec, "_encode_large", None)
    if request.param == "msgspec":
        codec._prefer_msgspec()
    return request.param


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(("value", "text"), TAKEN, ids=[text[:30] for _, text in TAKEN])
def test_takes(value: object, text: str) -> None:
    assert _parsed(value) == _parse(text)
    assert _parsed([{"deep": value}]) == _parse(f'[{{"deep": {text}}}]')


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(("value", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_refuses(value: object, message: str) -> None:
    for each in (value, [{"deep": value}], Point(1, value)):
        with pytest.raises(MarshalError, match=f"^Unable to marshal response: {message}"):
            codec.dump(each)


@pytest.mark.usefixtures("first")
def test_bytes_are_sent_as_they_are() -> None:
    assert codec.dump(b"\xff\0") == (b"\xff\0", "application/unknown")


@pytest.mark.usefixtures("first")
def test_text_goes_out_as_utf_8_not_as_escapes() -> None:
    assert codec.dump("é😀") == ('"é😀"'.encode(), "application/json")


@pytest.mark.usefixtures("first")
def test_circles_are_refused() -> None:
    parent: dict[str, Any] = {"children": [{"n": number} for number in range(1000)]}
    for child in parent["children"]:
        child["parent"] = parent
    with pytest.raises(MarshalError, match="Circular reference detected"):
        codec.dump(parent)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("stranger", [b"text", Point(1, 2), math.nan, Decimal("1.5"), "null"], ids=repr)
@pytest.mark.parametrize("place", [0, 1777])
def test_one_stranger_in_a_large_result_is_found(stranger: object, place: int) -> None:
    records: list[dict[str, object]] = [
        {"id": number, "name": f"n{number}", "price": number / 4, "tags": ["a"], "of": {"n": None}}
        for number in range(2000)
    ]
    records[place]["of"] = ["x", {"deep": stranger}, 1.5]
    expected = _parsed(["x", {"deep": stranger}, 1.5])
    assert _parsed(records)[place]["of"] == expected
    assert _parsed({"records": records})["records"][place]["of"] == expected


@pytest.mark.usefixtures("first")
def test_nulls_that_are_none_and_nulls_that_are_not() -> None:
    for value in (
        [1.5, None, None],
        [1.5, "null"],
        [math.nan],
        [math.nan, None],
        [math.inf, "null", None],
        {"null": 1.5},
    ):
        assert _parsed(value) == _parse(json.dumps(value))


@pytest.mark.usefixtures("first")
def test_a_result_looks_the_same_before_and_after_msgspec_takes_over() -> None:
    small: object = {"a": [1], "b": "ü"}
    large: object = {"a": ["x" * LARGE]}
    bodies = [codec.dump(value)[0] for value in (small, large, small, large)]
    assert codec._encode_large is not None, "msgspec did not take over"
    assert bodies[:2] == bodies[2:]
    assert bodies[0] == '{"a":[1],"b":"ü"}'.encode()


def test_without_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_encode_large", None)
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    value = ["x" * LARGE]
    assert _parsed(value) == _parsed(value) == value


def test_a_python_without_the_parts_of_json_that_are_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    monkeypatch.setitem(sys.modules, "_json", None)
    scan, chunks = codec._scanner_and_encoder()
    monkeypatch.setattr(codec, "_scan", scan)
    monkeypatch.setattr(codec, "_chunks", chunks)
    for value, text in TAKEN:
        assert _parsed(value) == _parse(text)
    assert codec.load(b'{"a": [1, "x"]}') == {"a": [1, "x"]}
    assert codec.load(b' {"a": 1e5} ') == {"a": 1e5}
    for damaged in (b"", b"{", b"NaN"):
        with pytest.raises(UnmarshalError):
            codec.load(damaged)


@hypothesis.given(VALUES)
def test_any_value_is_written_alike_whatever_its_size_or_refused(value: object) -> None:
    large = codec._dump_large(value, msgspec.json.Encoder().encode)
    small = codec._dump_small(value)
    if large is not None:
        assert small is not None, "msgspec takes what json does not"
        assert _parse(large.decode()) == _parse(small.decode())
    try:
        body, content_type = codec.dump(value)
    except MarshalError:
        assert small is None
        return
    if content_type == "application/json":
        text = _parse(body.decode())
        assert small is None or text == _parse(small.decode())


def _parsed(value: object) -> Any:
    body, content_type = codec.dump(value)
    assert content_type == "application/json"
    return _parse(body.decode())


def _parse(text: str) -> Any:
    """JSON with every number as its digits say, so that 1.10 is not 1.1000000000000001, and NaN equals NaN."""
    return json.loads(text, parse_float=Decimal, parse_constant=str)


class Size(str, enum.Enum):  # noqa: UP042 # its members' texts are not their values
    SMALL = "small"

    def __new__(cls, value: str):
        member = str.__new__(cls, f"text of {value}")
        member._value_ = value
        return member


class Rank(int, enum.Enum):
    FIRST = 1

    def __new__(cls, value: int):
        member = int.__new__(cls, value + 100)
        member._value_ = value
        return member


@pytest.mark.parametrize(
    "stranger", [Size.SMALL, Rank.FIRST, Decimal("1.5"), b"x", math.nan, math.inf, (1,), {b"x"}], ids=repr
)
@pytest.mark.parametrize("usual", ["text", 1, 1.5, True])
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_stranger_in_a_column(stranger: object, usual: object, place: int) -> None:
    column: list[object] = [usual] * 100
    assert codec._are_same_in_json(list(column))
    column[place] = stranger
    assert codec._are_same_in_json(column) is (stranger == (1,))


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 1, "price": math.nan},
        {"id": 1, "price": math.inf},
        {"id": 1, "price": Decimal("1.5")},
        {"id": 1, "price": None, "more": math.nan},
        {1: 1, math.nan: 2},
        {"id": (1, Point(1, 2)), "price": 1.5},
        {"id": 1, "price": {"deep": [math.nan]}},
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_odd_row_among_many_alike(odd: object, place: int) -> None:
    rows: list[object] = [{"id": number, "price": number / 7} for number in range(100)]
    rows[place] = odd
    by_json = codec._dump_small(rows) or codec._dump_unusual(rows)
    by_msgspec = codec._dump_large(rows, msgspec.json.Encoder().encode)
    assert by_msgspec is None
    assert codec._dump_large([{"rows": rows[:place] + rows[place + 1 :]}], msgspec.json.Encoder().encode) is not None
    assert by_json.startswith(b"[")
