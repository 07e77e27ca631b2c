"""What property tests of the codec draw from: JSON texts, and values of every kind.

The texts are drawn as texts, not made of values: numbers of every length and notation, escapes, white space.
"""

from __future__ import annotations

import collections
import datetime as dt
import uuid
from decimal import Decimal

from hypothesis import strategies as st

from tests.codec_values import Colour, Entries, Items, Kind, Level, OddRow, Point, Real, Record, Row, Text, Whole

_digits = st.text("0123456789", min_size=1, max_size=25)
_numbers = st.one_of(
    st.integers().map(str),
    st.integers(10**17, 10**40).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "-"]),
        _digits.map(lambda digits: digits.lstrip("0") or "0"),
        st.one_of(st.just(""), _digits.map(lambda digits: f".{digits}")),
        st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from(["e", "E-", "e+"]), st.integers(0, 400))),
    ),
)
_pieces = st.one_of(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'),
    st.sampled_from(["\\n", '\\"', "\\\\", "\\/", "\\b", "\\u0000", "\\u00e9", "\\uD83D\\ude00", "\\ud800", "\\uDC00"]),
)
_strings = st.lists(_pieces, max_size=8).map(lambda pieces: f'"{"".join(pieces)}"')
_spaces = st.text(" \t\n\r", max_size=2)


def _spaced(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}{}".format, _spaces, texts, _spaces)


def _containers(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    entry = st.builds("{}:{}".format, _spaced(st.one_of(_strings, st.sampled_from(['"a"', '"b"']))), texts)
    return st.one_of(
        st.lists(texts, max_size=5).map(lambda items: f"[{','.join(items)}]"),
        st.lists(entry, max_size=5).map(lambda entries: f"{{{','.join(entries)}}}"),
    )


JSON_TEXTS = _spaced(
    st.recursive(
        st.one_of(_numbers, _strings, st.sampled_from(["true", "false", "null"])),
        lambda texts: _containers(_spaced(texts)),
        max_leaves=20,
    )
)

FINITE_JSON_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=10),
    ),
    lambda each: st.one_of(st.lists(each, max_size=5), st.dictionaries(st.text(max_size=4), each, max_size=5)),
)

_unusual = st.one_of(
    st.floats(),
    st.text(st.characters(), max_size=10),  # unpaired surrogates too
    st.binary(max_size=3),
    st.decimals(),
    st.sampled_from(["null", Colour.RED, Level.HIGH, Text("text"), Whole(1), Real(2.5), Real("nan"), Row()]),
    # Refused:
    st.sampled_from([Kind.PLAIN, Record(), OddRow(), uuid.UUID(int=1), dt.date(2026, 1, 1), frozenset([1]), 1j]),
)
_keys = st.one_of(
    st.text(max_size=4),
    st.integers(),
    st.floats(),
    st.sampled_from([None, True, b"k", Colour.RED, Level.HIGH, Text("k"), Whole(2), Real(2.5)]),
    # Refused:
    st.sampled_from([(1,), Decimal(1), uuid.UUID(int=1), dt.date(2026, 1, 1), Kind.PLAIN]),
)
VALUES = st.recursive(
    st.one_of(FINITE_JSON_VALUES, _unusual),
    lambda each: st.one_of(
        st.lists(each, max_size=5),
        st.lists(each, max_size=5).map(tuple),
        st.lists(each, max_size=3).map(Items),
        st.dictionaries(st.text(max_size=4), each, max_size=5),
        st.dictionaries(st.text(max_size=4), each, max_size=3).map(Entries),
        st.dictionaries(st.text(max_size=4), each, max_size=3).map(collections.OrderedDict),
        st.dictionaries(_keys, each, max_size=3),
        st.builds(Point, st.integers(), each),
    ),
)
