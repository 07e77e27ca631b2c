"""Bytes to values and back, with types and without.

Without types, `load` and `dump` give and take the values that AWS's Python runtime gives and takes: by the standard
library's json while payloads are small, by msgspec once they are large. With types, `decoder` and `encoder` compile a
function from an annotation, once, at start; `polylambda.typed` knows how.
"""

# What JSON values are made of is known at run time only.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from gc import get_referents
from itertools import chain

from polylambda.errors import ConfigurationError, MarshalError, UnmarshalError
from polylambda.rapi.headers import JSON, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Decode = Callable[[bytes], Any]
    Encode = Callable[[Any], tuple[bytes, str]]

_LARGE = 32 * 1024  # bytes; from here on msgspec saves more in a few payloads than its import costs

_CHUNK = 512  # items of a list that are looked at together
_ALIKE = 32  # dicts from which looking at them field by field is quicker

# Without spaces, as msgspec writes: a function's results look the same whichever of the two encodes them.
_SEPARATORS = _COMMA, _COLON = ",", ":"

_NONE = type(None)
_SCALARS = frozenset({str, int, float, bool, _NONE})
_CONTAINERS = frozenset({dict, list, tuple})
_PLAIN = _SCALARS | _CONTAINERS


def load(payload: bytes) -> Any:
    """Decode an event as AWS's Python runtime does.

    The event is strict JSON in UTF-8, with or without a byte order mark. Integers have any size, the last of repeated
    keys counts, unpaired surrogates may be escaped; `NaN` and `Infinity` are refused.

    Raises:
        UnmarshalError: `payload` is not JSON.
    """
    if len(payload) >= _LARGE:
        return _load_large(payload)
    try:
        text = str(payload, "utf-8")
        value, end = _scan(text, 0)
        if end == len(text) or not text[end:].strip(" \t\r\n"):
            return value
    except (ValueError, StopIteration, RecursionError):
        pass
    return _load_carefully(payload)


def dump(value: object) -> tuple[bytes, str]:
    """Encode a result as AWS's Python runtime does, and say its content type.

    `bytes` are sent as they are, as `application/unknown`. Anything else is JSON: named tuples are objects, Decimals
    numbers, bytes inside a value text, NaN and infinities the literals that JavaScript has for them. Dates, UUIDs, sets
    and dataclasses are refused: annotate the handler to return them.

    Raises:
        MarshalError: `value` cannot be written as JSON.
    """
    if isinstance(value, bytes):
        return value, UNKNOWN
    body = None if _encode_large is None else _dump_large(value, _encode_large)
    if body is None:
        body = _dump_small(value)
    if body is None:
        try:
            body = _dump_unusual(value)
        except Exception as error:
            raise MarshalError(f"Unable to marshal response: {error}") from error
    return body, JSON


def decoder(annotation: Any) -> Decode:
    """Compile the function that decodes events of the type `annotation`.

    Args:
        annotation: a type, not its name. `bytes` is the payload as it is, whatever its content type.

    Returns:
        A function of the payload. It raises `UnmarshalError` for what is not JSON, `ValidationError` for JSON that is
        not of that type.

    Raises:
        ConfigurationError: nothing decodes JSON to `annotation`.
    """
    if is_untyped(annotation):
        return load
    if annotation is bytes:
        return bytes
    return _typed().decoder(annotation)


def encoder(annotation: Any = None) -> Encode:
    """Compile the function that encodes what a handler with types returns.

    Results are not validated: one that contradicts the annotation is encoded as what it is.

    Args:
        annotation: the type of the result; None if the handler does not say.

    Returns:
        `dump` where the annotation promises nothing that is not JSON already, else a function that encodes dates, UUIDs,
        enumerations, sets and models too. Both raise `MarshalError`.

    Raises:
        ConfigurationError: the encoder for types is not installed.
    """
    if annotation is not None and _consists_of(annotation, _PLAIN | {bytes}):
        return dump
    return _typed().encode


def is_untyped(annotation: Any) -> bool:
    """Tell whether `annotation` asks for nothing but JSON: `Any`, `object`, `dict`, `list`, `dict[str, Any]`, their unions.

    Many existing functions say so and rely on nothing being checked.
    """
    return _consists_of(annotation, frozenset())


# Small payloads: json, by its parts in C. Importing the package costs every start several milliseconds, most of them for
# regular expressions which those parts do without; what is unusual imports it.


def _refuse(value: object) -> None:
    raise ValueError(f"{value} is not JSON")


class _Strict:
    """What `json.JSONDecoder(parse_constant=_refuse)` tells the scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _scanner_and_encoder() -> tuple[Callable[[str, int], tuple[Any, int]], Callable[[object, int], Iterable[str]]]:
    try:
        import _json
    except ImportError:
        import json

        encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=_SEPARATORS)
        return json.JSONDecoder(parse_constant=_refuse).raw_decode, lambda value, _: encoder.iterencode(value)
    quote: Any = _json.encode_basestring
    # What JSONEncoder.encode makes anew for every value; making it is half of the time of a small value.
    encode: Any = _json.make_encoder(None, _refuse, quote, None, _COLON, _COMMA, False, False, True)
    options: Any = _Strict
    return _json.make_scanner(options), encode


_scan, _chunks = _scanner_and_encoder()


def _load_carefully(payload: bytes) -> Any:
    import json

    try:
        return json.JSONDecoder(parse_constant=_refuse).decode(str(payload, "utf-8").removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        # Not chained: the error holds the whole payload, and its message is all that it has to say.
        raise UnmarshalError(f"Unable to unmarshal input: {error}") from None


def _dump_small(value: object) -> bytes | None:
    """JSON by json, or None when AWS's runtime would say something else, or refuse."""
    try:
        text = "".join(_chunks(value, 0))
    except Exception:  # `_dump_unusual` says what is wrong, if anything is
        return None
    if not _is_plain(value, _PLAIN):
        return None
    if len(text) >= _LARGE:
        _prefer_msgspec()
    return text.encode() if text.isascii() else _utf8(text)


def _utf8(text: str) -> bytes:
    # UTF-8 has no bytes for a lone surrogate; its backslash escape happens to be JSON's.
    return text.encode("utf-8", "backslashreplace")


def _is_plain(value: object, plain: frozenset[type]) -> bool:
    """Whether a finite tree has values of the types in `plain` only, and no subclasses of them.

    So named tuples, sets, dates and many more are kept from encoders that have ideas of their own about them. The tree is
    taken level by level because C then does the work; `plain` has the scalars and the containers in it.
    """
    if type(value) not in _CONTAINERS:
        return type(value) in plain
    level = get_referents(value)
    while not _SCALARS.issuperset(map(type, level)):
        if not plain.issuperset(map(type, level)):
            return False
        level = get_referents(*level)
    return True


# Large payloads: msgspec, where it gives the same answer.

_encode_large: Callable[[Any], bytes] | None = None  # set by the first large result
_keeps_memory = False


def _load_large(payload: bytes) -> Any:
    if not _keeps_memory:
        _keep_memory()
    try:
        import msgspec
    except ImportError:
        return _load_carefully(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # What msgspec takes, it takes as json does. What it refuses may be right for json: floats beyond the range,
        # unpaired surrogates, a byte order mark.
        return _load_carefully(payload)


def _keep_memory() -> None:
    """Have the C library keep up to 2 MiB of freed memory for the next large payload.

    glibc gives freed memory back to the system early, and every invocation pays for getting it anew, page by page. When a
    block larger than its threshold is freed, the threshold becomes that block's size: see mallopt(3), M_MMAP_THRESHOLD.
    """
    global _keeps_memory
    _keeps_memory = True
    bytes(1024 * 1024)


def _prefer_msgspec() -> None:
    global _encode_large
    if not _keeps_memory:
        _keep_memory()
    try:
        from msgspec.json import Encoder
    except ImportError:
        return
    _encode_large = Encoder().encode


def _dump_large(value: object, encode: Callable[[object], bytes]) -> bytes | None:
    """JSON by msgspec, or None when json would, or might, say something else."""
    try:
        body = encode(value)
        return body if _is_same_in_json(value) else None
    except Exception:  # json may take it, and else says what is wrong
        return None


def _is_same_in_json(value: object) -> bool:
    """Whether json and msgspec write the same; False when that is not certain.

    Besides the types that `_is_plain` looks for, NaN and the infinities differ. (So do exponents, `1e16` and `1e+16`: the
    same numbers, and as keys of dicts not worth a look at every key.)
    """
    if type(value) is not list:
        return _are_same_in_json([value])
    return all(_are_same_in_json(value[start : start + _CHUNK]) for start in range(0, len(value), _CHUNK))


def _are_same_in_json(values: list[Any]) -> bool:
    """`_is_same_in_json` for each of `values`, which are best all alike.

    The values in many dicts with the same fields are taken field by field: then most lists have one type, and what is no
    container is not looked into.
    """
    while True:
        if _are_texts_or_numbers(values):
            return True
        types = set(map(type, values))
        if not types <= _PLAIN:
            return False
        if float in types:
            total = sum(values if len(types) == 1 else [each for each in values if type(each) is float])
            if total - total != 0.0:  # one of them is not finite, or all together are too many
                return False
        if types <= _SCALARS:
            return True
        inner = get_referents(*values)
        if len(values) >= _ALIKE and len(types) == 1 and dict in types:
            fields = len(values[0])
            if fields > 1 and len(inner) == fields * len(values):
                return all(_are_same_in_json(inner[field::fields]) for field in range(fields))
        values = inner


def _are_texts_or_numbers(values: list[Any]) -> bool:
    """Whether all are texts, or all are finite numbers, asked in the quickest way: by joining them, or adding them up.

    Those refer to nothing, while enumerations with such values refer to their class, and msgspec refuses other subclasses.
    """
    kind = type(values[0]) if values else None
    try:
        if kind is str:
            "".join(values)
            return not get_referents(*values)
        if kind is float or kind is int or kind is bool:
            total = sum(values)
            return type(total) in (int, float) and total - total == 0 and not get_referents(*values)
    except TypeError:  # they are mixed
        pass
    return False


# Unusual values: what json does not take, or takes for something else than AWS's runtime does.


def _dump_unusual(value: object) -> bytes:
    import json
    from decimal import Decimal

    numbers: list[str] = []
    place = os.urandom(16).hex()  # holds the place of a number in the text, for json cannot be given a number's digits

    def default(value: object) -> object:
        if isinstance(value, Decimal):
            if value.is_nan():
                return float("nan")
            numbers.append(str(value))
            return place
        if isinstance(value, bytes):
            return str(value, "utf-8")
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    encode = json.JSONEncoder(ensure_ascii=False, default=default, separators=_SEPARATORS).encode
    try:
        text = encode(value)
    except TypeError:
        text = ""
    if not text or not _is_plain(value, _PLAIN | {bytes, Decimal}):
        numbers.clear()
        text = encode(_normal(value))
    if numbers:
        pieces = text.split(f'"{place}"')
        text = "".join(chain.from_iterable(zip(pieces, [*numbers, ""], strict=True)))
    return _utf8(text)


def _normal(value: Any) -> Any:
    """`value` with dicts for named tuples, and text for keys that are bytes."""
    if isinstance(value, (str, bytes, int, float)):
        return value
    as_dict = getattr(value, "_asdict", None)
    if callable(as_dict):
        value = as_dict()
        if not isinstance(value, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(value).__name__}")
    if isinstance(value, dict):
        return {str(key, "utf-8") if isinstance(key, bytes) else key: _normal(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(_normal, value))
    return value


# Annotations. Functions that say `dict[str, Any]` must start as quickly as those that say nothing, so without typing.

_DECLARED = frozenset({dict, list, Mapping, MutableMapping, Sequence, MutableSequence, Collection, Iterable})


def _consists_of(annotation: Any, leaves: frozenset[type]) -> bool:
    """Whether `annotation` is made of JSON's containers, of anything at all, and of `leaves`."""
    if annotation is object or annotation is getattr(sys.modules.get("typing"), "Any", object):
        return True
    origin = getattr(annotation, "__origin__", None)
    arguments = getattr(annotation, "__args__", ())
    if type(annotation).__name__ in {"UnionType", "Union"} or getattr(origin, "_name", None) == "Union":
        return all(each is _NONE or _consists_of(each, leaves) for each in arguments)
    container = origin or annotation
    if not isinstance(container, type) or not (container in _DECLARED or container in leaves):
        return False
    if len(arguments) == 2 and arguments[0] is str:
        arguments = arguments[1:]  # the keys of an object are text anyway
    return all(each is ... or _consists_of(each, leaves) for each in arguments)


def _typed() -> Any:
    try:
        from polylambda import typed
    except ImportError as error:
        raise ConfigurationError("events and results with types need msgspec: install it") from error
    return typed
