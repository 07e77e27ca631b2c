"""Events and results with types: what `codec.decoder` and `codec.encoder` compile annotations to.

msgspec does the work for dataclasses, attrs classes, TypedDict, NamedTuple, `msgspec.Struct` and everything built in; an
annotation that names anything of pydantic is pydantic's as a whole. What they refuse is told in one voice by
`polylambda.refusals`. Only handlers with types import this module.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import msgspec.inspect

from polylambda import codec, refusals
from polylambda.errors import ConfigurationError, MarshalError, UnmarshalError
from polylambda.rapi.headers import JSON, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polylambda.codec import Decode


def decoder(annotation: Any) -> Decode:
    """Compile the function that decodes a payload to `annotation`; see `codec.decoder`."""
    if any(_is_pydantic(part) for part in _parts(annotation, {})):
        return _pydantic_decoder(annotation)
    return _msgspec_decoder(annotation)


def encode(value: Any) -> tuple[bytes, str]:
    """Encode a result of a handler with types, and say its content type.

    `bytes` are sent as they are. In JSON, dates and times are RFC 3339 text, UUIDs text, Decimals numbers, enumerations
    their values, sets arrays, bytes base64, `NaN` null; pydantic's models are dumped in JSON mode, by alias.

    Raises:
        MarshalError: `value` cannot be written as JSON.
    """
    if isinstance(value, bytes):
        return value, UNKNOWN
    try:
        return _encode(value), JSON
    except UnicodeEncodeError:
        # An unpaired surrogate, which msgspec does not escape.
        return codec.dump(msgspec.to_builtins(value, builtin_types=(Decimal,), str_keys=True, enc_hook=_to_builtins))
    except Exception as error:
        raise MarshalError(f"Unable to marshal response: {error}") from error


def _msgspec_decoder(annotation: Any) -> Decode:
    try:
        unknown = [each for each in _custom_types(msgspec.inspect.type_info(annotation), set()) if each is not object]
        decode = msgspec.json.Decoder[Any](annotation, dec_hook=as_it_is).decode
    except Exception as error:  # NameError and whatever else evaluating the annotations of a class may raise
        raise ConfigurationError(f"cannot decode JSON to {_text(annotation)}: {error}") from error
    if unknown:
        raise ConfigurationError(
            f"cannot decode JSON to {_text(annotation)}: {_text(unknown[0])} is not a dataclass, TypedDict, NamedTuple, "
            "msgspec.Struct, attrs class or pydantic model"
        )

    def decode_event(payload: bytes) -> Any:
        try:
            return decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            value = codec.load(payload)  # what is not JSON ends here
            if isinstance(error, msgspec.ValidationError):
                raise refusals.from_msgspec(error, value, annotation) from None
        # JSON that msgspec cannot read, such as text with an unpaired surrogate.
        try:
            return msgspec.convert(value, annotation, str_keys=True, dec_hook=as_it_is)
        except msgspec.ValidationError as error:
            raise refusals.from_msgspec(error, value, annotation) from None
        except (UnicodeEncodeError, RecursionError) as error:
            raise UnmarshalError(f"Unable to unmarshal input: {error}") from None

    return decode_event


def as_it_is(_: type, value: Any) -> Any:
    """Decode a field that is annotated `object`: msgspec takes `Any` only for what it is."""
    return value


def _pydantic_decoder(annotation: Any) -> Decode:
    pydantic = import_module("pydantic")
    try:
        validate = pydantic.TypeAdapter(annotation).validate_json
    except Exception as error:  # its own errors, and whatever evaluating annotations may raise
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"cannot decode JSON to {_text(annotation)} with pydantic: {reason}") from error
    refused: type[Exception] = pydantic.ValidationError

    def decode_event(payload: bytes) -> Any:
        try:
            return validate(payload)
        except refused as error:
            value = codec.load(payload)
            not_json = refusals.syntax_error(error)
            if not_json:  # to pydantic only, which refuses unpaired surrogates
                raise UnmarshalError(f"Unable to unmarshal input: {not_json}") from None
            raise refusals.from_pydantic(error, value) from None

    return decode_event


def _to_builtins(value: object) -> Any:
    """What msgspec cannot encode, as something that it can."""
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_python(value, mode="json", by_alias=True)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _to_raw(value: object) -> Any:
    """`_to_builtins`, quicker for pydantic's models: their JSON goes into the result as it is."""
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        return _to_builtins(value)
    return msgspec.Raw(serializer.to_json(value, by_alias=True))


_encode = msgspec.json.Encoder(enc_hook=_to_raw, decimal_format="number").encode


# What an annotation is made of.


def _parts(annotation: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Every class that `annotation` names, itself or in the fields of a class, and every object in an `Annotated`."""
    if id(annotation) in seen:
        return
    seen[id(annotation)] = annotation  # kept, so that nothing else gets its id
    origin = get_origin(annotation)
    if origin is Literal:
        return
    if origin is Annotated:
        yield from annotation.__metadata__
    for argument in get_args(annotation):
        yield from _parts(argument, seen)
    if hasattr(annotation, "__value__"):  # type Name = ...
        yield from _parts(annotation.__value__, seen)
    cls = origin or annotation
    if not isinstance(cls, type):
        return
    yield cls
    if _is_pydantic(cls):
        return
    try:
        fields = get_type_hints(cls, include_extras=True)
    except Exception:  # msgspec says what is wrong with it
        return
    for field in fields.values():
        yield from _parts(field, seen)


def _is_pydantic(part: Any) -> bool:
    """Whether a class or an object in an `Annotated` belongs to pydantic."""
    if isinstance(part, type):
        return hasattr(part, "__get_pydantic_core_schema__") or "__pydantic_validator__" in part.__dict__
    return type(part).__module__.partition(".")[0] in {"pydantic", "annotated_types"} and "pydantic" in sys.modules


def _custom_types(node: Any, seen: set[int]) -> Iterator[type]:
    """The classes that msgspec has no idea of, in its own description of a type."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, msgspec.inspect.CustomType):
        yield node.cls
    elif isinstance(node, tuple):
        for each in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _custom_types(each, seen)
    elif isinstance(node, (msgspec.inspect.Type, msgspec.inspect.Field)):
        for name in node.__struct_fields__:
            yield from _custom_types(getattr(node, name), seen)


def _text(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
