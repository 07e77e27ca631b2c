"""Markers: told apart, and found wherever they turn up."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.check.dynamic.marks import Marks

SEEDS = st.integers(0, 10**6)
NUMBERS = st.integers(0, 0xFFFF)


@given(SEEDS, NUMBERS, st.text(max_size=20), st.text(max_size=20))
def test_is_found_in_any_text(seed: int, number: int, before: str, after: str):
    marks = Marks(seed)
    assert number in marks.find(f"{before}|{marks.of(number)}|{after}")
    assert number in marks.find(f"{before}|{marks.of(number).upper()}|{after}".encode())


@given(SEEDS, NUMBERS, st.binary(max_size=10))
def test_is_found_in_base64(seed: int, number: int, before: bytes):
    marks = Marks(seed)
    hidden = base64.b64encode(before + b'{"name": "' + marks.of(number).encode() + b'"}').decode()
    assert marks.find(f'{{"body": "{hidden}"}}') == {number}


@given(SEEDS, NUMBERS)
def test_request_id_is_a_uuid_with_the_number(seed: int, number: int):
    marks = Marks(seed)
    text = marks.request_id(number)
    assert str(uuid.UUID(text)) == text
    assert marks.number(text) == number


def test_of_another_seed_mean_nothing():
    assert Marks(2).find(Marks(1).of(7)) == set()


def test_all_are_found():
    marks = Marks(1)
    assert marks.find(" ".join(map(marks.of, range(5)))) == set(range(5))


def test_other_ids_have_no_number():
    assert Marks(1).number("0f8fad5b-d9cb-469f-a165-70867728950e") is None


def test_there_are_only_so_many():
    with pytest.raises(ValueError, match="65536 invocations"):
        Marks(1).of(0x10000)
