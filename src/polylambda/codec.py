"""Bytes to values and back, with types and without.

Without types, `load` and `dump` give and take the values that AWS's Python runtime gives and takes, by the standard
library's json while payloads are small and by msgspec once they are large. With types, `decoder` and `encoder` compile a
function from an annotation, once, at start; how is in `polylambda.typed`.
"""

from __future__ import annotations

import json
import os
import sys
from gc import get_referents
from itertools import chain
from json.encoder import c_make_encoder, encode_basestring  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

from polylambda.errors import ConfigurationError, MarshalError, UnmarshalError
from polylambda.rapi.headers import JSON, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Decode = Callable[[bytes], Any]
    Encode = Callable[[Any], tuple[bytes, str]]

_LARGE = 32 * 1024  # bytes; from here on msgspec saves more in a few payloads than its import costs

_SCALARS = frozenset({str, int, float, bool, type(None)})
_PLAIN = _SCALARS | {dict, list, tuple}


def load(payload: bytes) -> Any:
    """Decode an event as AWS's Python runtime does.

    Strict JSON in UTF-8, with or without a byte order mark; integers of any size, the last of repeated keys, unpaired
    surrogate escapes. `NaN` and `Infinity` are refused.

    Raises:
        UnmarshalError: `payload` is not JSON.
    """
    if len(payload) >= _LARGE:
        return _load_large(payload)
    try:
        text = str(payload, "utf-8")
        value, end = _scan(text)
        if end == len(text):
            return value
    except (ValueError, RecursionError):
        pass
    return _load_carefully(payload)


def dump(value: object) -> tuple[bytes, str]:
    """Encode a result as AWS's Python runtime does, and say its content type.

    `bytes` are sent as they are, as `application/unknown`. Anything else is JSON: named tuples are objects, Decimals
    numbers, bytes inside a value text, `NaN` and `Infinity` literals. Dates, UUIDs, sets and dataclasses are refused:
    annotate the handler to return them.

    Raises:
        MarshalError: `value` cannot be written as JSON.
    """
    if isinstance(value, bytes):
        return value, UNKNOWN
    body = _dump_large(value) if _encode_large is not None else None
    if body is None:
        body = _dump_small(value)
    if body is None:
        try:
            body = _dump_lenient(value)
        except Exception as error:
            raise MarshalError(f"Unable to marshal response: {error}") from error
    return body, JSON


def decoder(annotation: Any) -> Decode:
    """Compile the function that decodes events of the type `annotation`.

    Args:
        annotation: a type, not its name. `bytes` is the payload as it is, whatever its content type.

    Returns:
        A function of the payload. It raises `UnmarshalError` for what is not JSON, `ValidationError` for JSON that is not
        of that type.

    Raises:
        ConfigurationError: nothing decodes JSON to `annotation`.
    """
    if is_untyped(annotation):
        return load
    if annotation is bytes:
        return bytes
    return _typed().decoder(annotation)


def encoder(annotation: Any = None) -> Encode:
    """Compile the function that encodes the results of a handler that returns `annotation`; None if it does not say.

    Results are not validated: one that contradicts the annotation is encoded as what it is.

    Returns:
        A function of the result, giving bytes and content type. It raises `MarshalError`.

    Raises:
        ConfigurationError: the encoder for types is not installed.
    """
    if annotation is not None and _consists_of(annotation, _SCALARS | {bytes}):
        return dump
    return _typed().encode


def is_untyped(annotation: Any) -> bool:
    """Tell whether `annotation` asks for nothing but JSON: `Any`, `object`, `dict`, `list`, `dict[str, Any]` and the like.

    Many existing functions say so and rely on nothing being checked.
    """
    return _consists_of(annotation, frozenset())


# Large payloads: msgspec, where it gives the same answer.

_encode_large: Callable[[Any], bytes] | None = None  # set when a result was large


def _load_large(payload: bytes) -> Any:
    try:
        import msgspec
    except ImportError:
        return _load_carefully(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # What msgspec takes, it takes as json does; what it refuses (floats beyond the range, unpaired surrogates, a byte
        # order mark, integers beyond its limit) may be right for json. Its error counts.
        return _load_carefully(payload)


def _prefer_msgspec() -> None:
    global _encode_large
    try:
        from msgspec.json import Encoder
    except ImportError:
        return
    _encode_large = Encoder().encode


def _dump_large(value: Any) -> bytes | None:
    """JSON by msgspec, or None when json might say something else."""
    assert _encode_large is not None
    try:
        body = _encode_large(value)
    except Exception:  # noqa: BLE001 # whatever it is, json says it better
        return None
    levels = _plain_levels(value, _PLAIN)
    if levels is None:
        return None
    nones = 0
    some_floats = False
    for level, types in levels:
        if dict in types:
            dicts: Iterable[Any] = level if len(types) == 1 else [each for each in level if type(each) is dict]
            if not set(map(type, set().union(*dicts))) <= {str}:
                return None  # keys are written differently: 1e+22, true
        some_floats = some_floats or float in types
    if some_floats and b"null" in body:
        # A null is None, or NaN, or text; as many nulls as there are None means that none is NaN.
        nones = sum(level.count(None) for level, types in levels)
        if body.count(b"null") != nones:
            return None
    return body


# Small payloads, and whatever is unusual: json.


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_scan = _decoder.raw_decode


def _load_carefully(payload: bytes) -> Any:
    try:
        text = str(payload, "utf-8")
        return _decoder.decode(text[1:] if text.startswith("\ufeff") else text)
    except (ValueError, RecursionError) as error:
        raise UnmarshalError(f"Unable to unmarshal input: {error}") from error


_small_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False)
if c_make_encoder is None:
    _encode_small = _small_encoder.encode
else:
    # What JSONEncoder.encode makes anew for every value, made once; that is half of the time of a small one.
    _chunks = c_make_encoder(None, _small_encoder.default, encode_basestring, None, ": ", ", ", False, False, True)

    def _encode_small(o: Any) -> str:
        return "".join(_chunks(o, 0))


def _dump_small(value: object) -> bytes | None:
    """JSON by json, or None when AWS's runtime would say something else, or nothing."""
    try:
        text = _encode_small(value)
    except Exception:  # noqa: BLE001 # the lenient way says what is wrong, if anything is
        return None
    if _plain_levels(value, _PLAIN) is None:
        return None
    if len(text) >= _LARGE:
        _prefer_msgspec()
    return _utf8(text)


def _dump_lenient(value: object) -> bytes:
    """JSON of what json alone does not take, or takes for something else than AWS's runtime does."""
    from decimal import Decimal

    numbers: list[str] = []
    place = os.urandom(16).hex()  # stands in the text for a number, which json cannot write as it is

    def default(value: Any) -> object:
        if isinstance(value, Decimal):
            if value.is_nan():
                return float("nan")
            numbers.append(str(value))
            return place
        if isinstance(value, bytes):
            return str(value, "utf-8")
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    encode = json.JSONEncoder(ensure_ascii=False, default=default).encode
    text = None
    try:
        text = encode(value)
    except TypeError:
        numbers.clear()
    if text is None or _plain_levels(value, _PLAIN | {Decimal, bytes}) is None:
        numbers.clear()
        text = encode(_normal(value))
    if numbers:
        pieces = text.split(f'"{place}"')
        text = "".join(chain.from_iterable(zip(pieces, [*numbers, ""], strict=True)))
    return _utf8(text)


def _normal(value: Any) -> Any:
    """`value` with objects for named tuples and text for bytes, also in keys."""
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, bytes):
        return str(value, "utf-8")
    as_dict = getattr(value, "_asdict", None)
    if callable(as_dict):
        value = as_dict()
        if not isinstance(value, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(value).__name__}")
    elif isinstance(value, (list, tuple)):
        return [_normal(each) for each in value]
    if isinstance(value, dict):
        return {str(key, "utf-8") if isinstance(key, bytes) else key: _normal(each) for key, each in value.items()}
    return value


def _utf8(text: str) -> bytes:
    # UTF-8 has no bytes for a lone surrogate; its backslash escape happens to be JSON's.
    return text.encode("utf-8", "backslashreplace")


def _plain_levels(value: Any, plain: frozenset[type]) -> list[tuple[list[Any], set[type]]] | None:
    """The values in a finite tree and their types, level by level; None if any type is not one of `plain`.

    It is how the encoders' ideas of named tuples, sets, dates and many more are kept out: they differ from those of AWS's
    runtime. A level at a time, so that C does the work: a hundred thousand values take a few milliseconds.
    """
    levels: list[tuple[list[Any], set[type]]] = []
    level: list[Any] = value if type(value) is list else [value]
    while True:
        types = set(map(type, level))
        if not types <= plain:
            return None
        levels.append((level, types))
        if types <= _SCALARS:
            return levels
        level = get_referents(*level)


# Annotations.

_CONTAINERS = frozenset(
    {"dict", "list", "tuple", "Mapping", "MutableMapping", "Sequence", "MutableSequence", "Collection"}
)


def _consists_of(annotation: Any, leaves: frozenset[type]) -> bool:
    """Whether `annotation` is made of JSON's containers, anything, and `leaves`; works without importing typing."""
    if annotation is object or annotation in leaves or annotation is getattr(sys.modules.get("typing"), "Any", object):
        return True
    origin = getattr(annotation, "__origin__", None)
    arguments = getattr(annotation, "__args__", ())
    if type(annotation).__name__ in {"UnionType", "Union"} or getattr(origin, "_name", None) == "Union":
        return all(each is type(None) or _consists_of(each, leaves) for each in arguments)
    container = origin or annotation
    if (
        getattr(container, "__module__", "") not in {"builtins", "collections.abc"}
        or container.__name__ not in _CONTAINERS
    ):
        return False
    if len(arguments) == 2 and arguments[0] is str:
        arguments = arguments[1:]  # the keys of a JSON object are nothing to check
    return all(each is ... or _consists_of(each, leaves) for each in arguments)


def _typed() -> Any:
    try:
        from polylambda import typed
    except ImportError as error:
        raise ConfigurationError(
            "typed events and results need msgspec: install it, or leave out the annotation"
        ) from error
    return typed
