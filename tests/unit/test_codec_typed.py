"""Events and results with types: what is decoded to what, and how a refusal reads."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import hypothesis
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
import typing_extensions
from hypothesis import strategies as st

from polylambda import codec
from polylambda.errors import ConfigurationError, MarshalError, UnmarshalError, ValidationError
from tests.codec_strategies import FINITE_JSON_VALUES, JSON_TEXTS
from tests.codec_values import Kind, Real, Text, Whole


@dataclasses.dataclass
class Line:
    price: int
    note: str | None = None


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    items: list[Line]
    at: dt.datetime
    total: Decimal = Decimal(0)
    kind: Kind = Kind.PLAIN
    prices: dict[str, int] = dataclasses.field(default_factory=dict)
    of: dict[str, dict[str, Line]] = dataclasses.field(default_factory=dict)
    by_day: dict[dt.date, int] = dataclasses.field(default_factory=dict)


class StructOrder(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    order_id: int
    items: list[Line] = []


class DictOrder(typing_extensions.TypedDict):
    id: int
    items: typing_extensions.NotRequired[list[Line]]


class Place(NamedTuple):
    x: float
    y: float = 0.0


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Node(msgspec.Struct):
    name: str
    children: list[Node] = []


class ModelLine(pydantic.BaseModel, extra="forbid"):
    price: int
    note: str | None = None


class ModelOrder(pydantic.BaseModel):
    id: uuid.UUID = pydantic.Field(alias="orderId")
    items: list[ModelLine] = []
    prices: dict[str, int] = {}
    by_number: dict[int, str] = {}
    at: dt.datetime | None = None


class ModelDay(pydantic.BaseModel):
    day: dt.date = pydantic.Field(alias="onDay")


class ModelCat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class ModelDog(pydantic.BaseModel):
    kind: Literal["dog"]
    name: str


class Kennel(pydantic.BaseModel):
    animals: list[Annotated[ModelCat | ModelDog, pydantic.Field(discriminator="kind")]]


@dataclasses.dataclass
class WithModel:
    line: ModelLine


@pydantic.dataclasses.dataclass
class ModelDataclass:
    count: Annotated[int, pydantic.Field(gt=0)]


class Positive(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(gt=0)]


class Plain:
    pass


class StructWithModel(msgspec.Struct):
    line: ModelLine


@dataclasses.dataclass
class Unresolved:
    line: Nowhere  # noqa: F821 # pyright: ignore[reportUndefinedVariable]


@dataclasses.dataclass
class Envelope:
    content: object
    count: int = 0


@dataclasses.dataclass
class Guarded:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count `below` zero - at home")


ID = uuid.UUID(int=1)
AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
ORDER = f'{{"id": "{ID}", "items": [{{"price": 3}}], "at": "2026-01-02T03:04:05Z"'


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (
            Order,
            f'{ORDER}, "total": 1.10, "kind": "plain", "by_day": {{"2026-01-02": 1}}, "more": 1}}',
            Order(ID, [Line(3)], AT, Decimal("1.10"), by_day={dt.date(2026, 1, 2): 1}),
        ),
        (Order, f'{ORDER}, "total": "1.10"}}', Order(ID, [Line(3)], AT, Decimal("1.10"))),
        (StructOrder, '{"orderId": 1, "items": [{"price": 2}]}', StructOrder(1, [Line(2)])),
        (DictOrder, '{"id": 1, "items": [{"price": 2}]}', {"id": 1, "items": [Line(2)]}),
        (DictOrder, '{"id": 1}', {"id": 1}),
        (Place, "[1, 2.5]", Place(1, 2.5)),
        (Node, '{"name": "a", "children": [{"name": "b"}]}', Node("a", [Node("b")])),
        (Cat | Dog, '{"type": "dog", "name": "Rex"}', Dog("Rex")),
        (list[Line], '[{"price": 1}]', [Line(1)]),
        (dict[str, Line], '{"a": {"price": 1}}', {"a": Line(1)}),
        (Line | None, "null", None),
        (int | str, '"a"', "a"),
        (str, '"text"', "text"),
        (Decimal, "1.10", Decimal("1.10")),
        (set[int], "[1, 1]", {1}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (None, "null", None),
        (Envelope, '{"content": {"a": [1]}}', Envelope({"a": [1]})),
        (
            ModelOrder,
            f'{{"orderId": "{ID}", "items": [{{"price": 2}}]}}',
            ModelOrder(orderId=ID, items=[ModelLine(price=2)]),
        ),
        (list[ModelLine], '[{"price": 1}]', [ModelLine(price=1)]),
        (ModelLine | None, "null", None),
        (WithModel, '{"line": {"price": 1}}', WithModel(ModelLine(price=1))),
        (ModelDataclass, '{"count": 1}', ModelDataclass(1)),
        (ModelCat | ModelDog, '{"kind": "dog", "name": "Rex"}', ModelDog(kind="dog", name="Rex")),
    ],
)
def test_decodes(annotation: Any, text: str, expected: object) -> None:
    value = codec.decoder(annotation)(text.encode())
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "text", "path", "problem"),
    [
        (Order, "[]", "event", "expected object, got array"),
        (Order, "{}", "event.id", "field is missing"),
        (Order, f'{ORDER}, "total": "x"}}', "event.total", "invalid decimal string"),
        (Order, f'{ORDER}, "kind": "x"}}', "event.kind", "invalid enum value 'x'"),
        (Order, '{"id": "x"}', "event.id", "invalid UUID"),
        (Order, f'{{"id": "{ID}", "items": null}}', "event.items", "expected array, got null"),
        (
            Order,
            f'{{"id": "{ID}", "items": [{{"price": 1}}, {{"price": "a"}}]}}',
            "event.items[1].price",
            "expected int, got str",
        ),
        (Order, f'{ORDER}, "prices": {{"a": 1, "b": "x", "c": 2}}}}', "event.prices.b", "expected int, got str"),
        (Order, f'{ORDER}, "prices": {{"a": 1, "b c": 1.5}}}}', 'event.prices["b c"]', "expected int, got float"),
        (
            Order,
            f'{ORDER}, "of": {{"a": {{}}, "b": {{"c": {{"price": 1}}, "d": {{"price": null}}}}}}}}',
            "event.of.b.d.price",
            "expected int, got null",
        ),
        (Order, f'{ORDER}, "by_day": {{"x": 1}}}}', "event.by_day", "key: invalid RFC3339 encoded date"),
        (Line, "null", "event", "expected object, got null"),
        (ModelLine, "null", "event", "expected object, got null"),
        (StructOrder, '{"orderId": 1, "x": 2}', "event.x", "unknown field"),
        (StructOrder, '{"orderId": true}', "event.orderId", "expected int, got bool"),
        (DictOrder, '{"id": 1, "items": null}', "event.items", "expected array, got null"),
        (Place, "[1, null]", "event[1]", "expected float, got null"),
        (Cat | Dog, '{"type": "cow"}', "event.type", "invalid value 'cow'"),
        (Positive, '{"count": 0}', "event.count", "expected int >= 1"),
        (Guarded, '{"count": -1}', "event", "count below zero - at home"),
        (list[Guarded], '[{"count": -1}]', "event[0]", "count below zero - at home"),
        (Envelope, '{"content": null, "count": "x"}', "event.count", "expected int, got str"),
        (int, "1.5", "event", "expected int, got float"),
        (str, '{"a": 1}', "event", "expected str, got object"),
        (ModelOrder, "[]", "event", "expected object, got array"),
        (ModelOrder, "{}", "event.orderId", "field is missing"),
        (ModelOrder, f'{{"orderId": "{ID}", "items": null}}', "event.items", "expected array, got null"),
        (
            ModelOrder,
            f'{{"orderId": "{ID}", "items": [{{"price": 1}}, {{"price": "a"}}]}}',
            "event.items[1].price",
            "expected int, got str",
        ),
        (
            ModelOrder,
            f'{{"orderId": "{ID}", "prices": {{"b c": null}}}}',
            'event.prices["b c"]',
            "expected int, got null",
        ),
        (
            ModelOrder,
            f'{{"orderId": "{ID}", "items": [{{"price": 1, "x": 1}}, {{}}]}}',
            "event.items[0].x",
            "unknown field; event.items[1].price: field is missing",
        ),
        (
            list[ModelLine],
            json.dumps([{}] * 9),
            "event[0].price",
            "; ".join(
                ["field is missing", *(f"event[{n}].price: field is missing" for n in range(1, 5)), "and 4 more"]
            ),
        ),
        (Kennel, '{"animals": [{"kind": "cat", "lives": "x"}]}', "event.animals[0].lives", "expected int, got str"),
        (Kennel, '{"animals": [{"kind": "dog"}]}', "event.animals[0].name", "field is missing"),
        (WithModel, '{"line": {"price": []}}', "event.line.price", "expected int, got array"),
        (
            ModelOrder,
            f'{{"orderId": "{ID}", "by_number": {{"x": "a"}}}}',
            "event.by_number.x",
            "key: expected int, got str",
        ),
        (
            ModelCat | ModelDog,
            '{"kind": "dog", "name": 1}',
            "event.kind",
            "must be 'cat'; event.lives: field is missing; event.name: expected str, got int",
        ),
        (ModelDataclass, '{"count": 0}', "event.count", "must be greater than 0"),
        (Annotated[list[int], pydantic.Field(min_length=1)], "[]", "event", None),
    ],
)
def test_refuses(annotation: Any, text: str, path: str, problem: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        codec.decoder(annotation)(text.encode())
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    if problem is not None:
        assert str(caught.value) == f"{path}: {problem}"


@pytest.mark.parametrize("annotation", [Order, list[int], str, ModelOrder, list[ModelLine]])
@pytest.mark.parametrize("payload", [b"", b"{", b'{"id": 1, "items": 5', b'[1, "x", nul]', b"NaN", b'"\xff"'])
def test_what_is_not_json_is_no_matter_of_types(annotation: Any, payload: bytes) -> None:
    with pytest.raises(UnmarshalError) as caught:
        codec.decoder(annotation)(payload)
    assert type(caught.value) is UnmarshalError
    assert str(caught.value).startswith("Unable to unmarshal input: ")
    with pytest.raises(UnmarshalError) as untyped:
        codec.load(payload)
    assert str(caught.value) == str(untyped.value)


def test_json_that_only_json_reads() -> None:
    assert codec.decoder(dict[str, str])(b'\xef\xbb\xbf{"a": "\\ud800"}') == {"a": "\ud800"}
    assert codec.decoder(dict[int, str])(b'{"1": "\\ud800"}') == {1: "\ud800"}
    with pytest.raises(UnmarshalError, match="surrogates not allowed"):
        codec.decoder(dict[int, int])(b'{"1": "\\ud800"}')
    with pytest.raises(UnmarshalError, match="Unable to unmarshal input: Invalid JSON"):
        codec.decoder(ModelDog)(b'{"kind": "dog", "name": "\\ud800"}')


@hypothesis.given(
    JSON_TEXTS, st.sampled_from([Order, Node, ModelOrder, dict[str, list[int]], list[float | str | None], str])
)
def test_any_json_is_decoded_or_refused(text: str, annotation: Any) -> None:
    decode = codec.decoder(annotation)
    refusal = None
    try:
        decode(text.encode())
    except UnmarshalError as error:
        refusal = error
    if isinstance(refusal, ValidationError):
        assert str(refusal).startswith(f"{refusal.path}: ")
    elif refusal is not None:
        assert "\\u" in text.lower(), "all else that is JSON is read, but for unpaired surrogates"


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Plain, "cannot decode JSON to Plain: Plain is not a dataclass, "),
        (list[Plain], "Plain is not a dataclass, "),
        (Plain | None, "Plain is not a dataclass, "),
        (Order | Line, "Type unions may not contain "),
        (StructWithModel, "cannot decode JSON to StructWithModel with pydantic: "),
        (Unresolved, "name 'Nowhere' is not defined"),
        ("Order", "cannot decode JSON to Order: "),
        (3, "cannot decode JSON to 3: "),
    ],
)
def test_annotations_that_cannot_be_decoded(annotation: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        codec.decoder(annotation)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class Size(enum.IntEnum):
    BIG = 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (Order(ID, [Line(3)], AT, Decimal("1.10")).items, '[{"price": 3, "note": null}]'),
        (
            {"at": AT, "on": AT.date(), "for": dt.timedelta(seconds=90), "id": ID, "total": Decimal("1.10")},
            f'{{"at": "2026-01-02T03:04:05Z", "on": "2026-01-02", "for": "PT90S", "id": "{ID}", "total": 1.10}}',
        ),
        (
            {"kind": Kind.PLAIN, "size": Size.BIG, "set": {1}, "bytes": b"x"},
            '{"kind": "plain", "size": 9, "set": [1], "bytes": "eA=="}',
        ),
        (StructOrder(1), '{"orderId": 1, "items": []}'),
        (Place(1, 2), "[1, 2]"),
        ([Text("t"), Whole(1), Real(2.5)], '["t", 1, 2.5]'),
        (math.nan, "null"),
        (
            ModelOrder(orderId=ID, at=AT),
            f'{{"orderId": "{ID}", "items": [], "prices": {{}}, "by_number": {{}}, "at": "2026-01-02T03:04:05Z"}}',
        ),
        ({"lines": [ModelLine(price=1)]}, '{"lines": [{"price": 1, "note": null}]}'),
        (
            ["\ud800", Decimal("1.10"), ModelDay(onDay=AT.date()), Whole(2), {1: ID}],
            f'["\\ud800", 1.10, {{"onDay": "2026-01-02"}}, 2, {{"1": "{ID}"}}]',
        ),
    ],
)
def test_encodes(value: object, text: str) -> None:
    body, content_type = codec.encoder()(value)
    assert content_type == "application/json"
    assert json.loads(body, parse_float=Decimal) == json.loads(text, parse_float=Decimal)


def test_a_result_that_contradicts_the_annotation_is_encoded_as_what_it_is() -> None:
    assert codec.encoder(Order)(Line(1)) == (b'{"price":1,"note":null}', "application/json")
    assert codec.encoder(Order)(b"raw") == (b"raw", "application/unknown")


@pytest.mark.parametrize("value", [Plain(), [Plain()], {Plain(): 1}, 1j, lambda: None])
def test_results_that_cannot_be_encoded(value: object) -> None:
    with pytest.raises(MarshalError, match=r"^Unable to marshal response: "):
        codec.encoder()(value)


@hypothesis.given(FINITE_JSON_VALUES)
def test_json_values_survive_the_round_trip(value: object) -> None:
    assert repr(codec.load(codec.encoder()(value)[0])) == repr(value)
