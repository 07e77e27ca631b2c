"""Which annotations need decoding and encoding at all, and what is imported for those that do not."""

from __future__ import annotations

import collections.abc
import datetime as dt
import subprocess
import sys
import typing
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import polylambda
from polylambda import codec
from polylambda.errors import ConfigurationError
from tests.codec_values import Entries, Point, Record


@pytest.mark.parametrize(
    "annotation",
    [
        object,
        Any,
        dict,
        list,
        dict[str, Any],
        dict[str, object],
        dict[str, dict[str, Any]],
        list[dict[str, Any]],
        dict[str, Any] | None,
        dict[str, Any] | list[Any],
        typing.Dict,  # noqa: UP006
        typing.Dict[str, Any],  # noqa: UP006
        typing.List[Any],  # noqa: UP006
        typing.Optional[dict],  # noqa: UP045
        typing.Union[dict, list],  # noqa: UP007
        typing.Mapping[str, Any],
        collections.abc.Mapping,
        collections.abc.Sequence[Any],
        collections.abc.MutableMapping[str, Any],
        Any | None,
    ],
    ids=str,
)
def test_events_of_which_nothing_is_checked(annotation: object) -> None:
    assert codec.is_untyped(annotation)
    assert codec.decoder(annotation) is codec.load
    assert codec.encoder(annotation) is codec.dump


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        int,
        bytes,
        tuple,
        set,
        dict[str, int],
        dict[int, Any],
        list[str],
        int | None,
        Record,
        Point,
        Entries,
        "dict",
    ],
    ids=str,
)
def test_events_of_which_something_is_checked(annotation: object) -> None:
    assert not codec.is_untyped(annotation)


@pytest.mark.parametrize(
    "annotation", [str, int, float, bool, bytes, tuple[int, ...], dict[str, int], list[dict[str, str | None]]], ids=str
)
def test_results_that_are_json_already(annotation: object) -> None:
    assert codec.encoder(annotation) is codec.dump


@pytest.mark.parametrize("annotation", [None, dt.date, Decimal, set[int], Record, Point, int | uuid.UUID], ids=str)
def test_results_that_are_not(annotation: object) -> None:
    assert codec.encoder(annotation) is not codec.dump


def test_bytes_are_the_payload() -> None:
    payload = b'{"not json'
    assert codec.decoder(bytes)(payload) is payload


def test_types_without_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(polylambda, "typed", raising=False)
    monkeypatch.setitem(sys.modules, "polylambda.typed", None)
    with pytest.raises(ConfigurationError, match="need msgspec: install it"):
        codec.decoder(Record)
    with pytest.raises(ConfigurationError, match="need msgspec: install it"):
        codec.encoder()


def test_small_untyped_payloads_import_little() -> None:
    program = f"""
import sys, types
package = types.ModuleType("polylambda")  # without what its __init__ imports
package.__path__ = [{str(Path(codec.__file__).parent)!r}]
sys.modules["polylambda"] = package
from polylambda import codec
codec.decoder(dict)(b'{{"a": [1, 2.5, null, true, "text"]}}')
codec.encoder(dict[str, list[int]])({{"a": [1, 2.5, None, True, "text"]}})
codec.is_untyped(int | None)
print(*{{"asyncio", "dataclasses", "datetime", "decimal", "inspect", "msgspec", "typing", "uuid"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
