"""What a handler's signature and annotations say: roles of its parameters, types of its event and its result."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

import polylambda
from polylambda import ConfigurationError, LambdaContext, ResponseStream, ResponseWriter, ValidationError, codec
from polylambda.rapi.events import Invocation
from polylambda.settings import Settings
from polylambda.shapes import Shape

if TYPE_CHECKING:
    from nowhere import Unknown


@dataclass
class Order:
    item: str


class Receipt(TypedDict):
    price: int


class Opaque:
    """Nothing that could be decoded."""


def context(content_type: str = "application/json") -> LambdaContext:
    headers = {
        "lambda-runtime-aws-request-id": "1",
        "lambda-runtime-deadline-ms": "1000",
        "lambda-runtime-invoked-function-arn": "arn",
        "content-type": content_type,
    }
    return LambdaContext(Invocation(b"", headers), Settings({}))


RESPONSE: Any = object()
CONTEXT = context()


def arguments(handler: Any, payload: bytes = b'{"item": "tea"}') -> Any:
    """What `handler`, which must return its arguments, is called with."""
    return Shape(handler).call(payload, RESPONSE, CONTEXT)


# Positions


def test_a_handler_may_take_nothing():
    assert arguments(lambda: "called") == "called"


def test_a_handler_may_take_the_event_alone():
    assert arguments(lambda event: event) == {"item": "tea"}


def test_a_handler_takes_event_and_context_whatever_they_are_called():
    assert arguments(lambda e, c: (e, c)) == ({"item": "tea"}, CONTEXT)


def test_event_and_context_are_given_although_they_have_defaults():
    assert arguments(lambda event=None, ctx=None: (event, ctx)) == ({"item": "tea"}, CONTEXT)


def test_further_parameters_keep_their_defaults():
    assert arguments(lambda event, ctx, table="orders", *, dry=False: (table, dry)) == ("orders", False)


def test_a_required_parameter_too_many_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"handler .*<lambda> has a parameter too many, 'table'"):
        Shape(lambda event, context, table: None)


def test_a_parameter_called_response_is_one():
    assert arguments(lambda event, response, context: (response, context)) == (RESPONSE, CONTEXT)
    assert arguments(lambda event, context, response: (context, response)) == (CONTEXT, RESPONSE)
    assert arguments(lambda event, response: response) is RESPONSE


def test_a_parameter_called_response_is_none_when_it_is_the_event_or_optional():
    assert arguments(lambda response: response) == {"item": "tea"}
    assert arguments(lambda event, response=None: response) is CONTEXT


# Annotations


def test_annotations_place_context_and_response_wherever_they_stand():
    def handler(ctx: LambdaContext, out: ResponseStream, event: dict):
        return ctx, out, event

    assert arguments(handler) == (CONTEXT, RESPONSE, {"item": "tea"})


def test_the_same_annotation_twice_is_refused():
    def handler(event, a: ResponseStream, b: ResponseStream): ...

    with pytest.raises(ConfigurationError, match="too many, 'b'"):
        Shape(handler)


def test_an_event_of_a_type_is_decoded():
    def handler(event: Order, context):
        return event

    assert arguments(handler) == Order("tea")
    with pytest.raises(ValidationError, match=r"event\.item"):
        arguments(handler, b'{"item": 1}')


def test_an_event_of_bytes_is_the_payload():
    def handler(event: bytes, context):
        return event

    assert arguments(handler, b"\xff") == b"\xff"


@pytest.mark.parametrize("annotation", ["dict", "dict[str, Any]", "Any", "object", "list", "None", "Unknown", "1 +"])
def test_annotations_that_ask_for_nothing_change_nothing(annotation):
    def handler(event, context):
        return event

    handler.__annotations__ = {"event": annotation, "context": "Unknown", "return": "Unknown"}
    assert arguments(handler) == {"item": "tea"}
    assert Shape(handler).encode({"nan": float("nan")})[0] == b'{"nan":NaN}'  # as AWS's runtime writes it


def test_annotations_for_type_checkers_only_leave_the_event_as_it_is():
    def handler(event: Unknown, context: Unknown) -> Unknown:
        return event

    assert arguments(handler) == {"item": "tea"}


@pytest.mark.parametrize(
    "text", ["ResponseWriter[Unknown]", "polylambda.ResponseWriter", "p.response.ResponseWriter[X]"]
)
def test_our_own_names_are_known_although_they_were_imported_for_type_checkers_only(text):
    source = f"def handler(event, out: {text!r}, ctx: 'x.LambdaContext'): return out, ctx"
    scope: dict[str, Any] = {"__name__": "app"}
    exec(source, scope)
    writer, given = arguments(scope["handler"])
    assert isinstance(writer, ResponseWriter)
    assert given is CONTEXT


def test_an_event_that_cannot_be_decoded_is_refused_when_it_starts():
    def handler(event: Opaque, context): ...

    with pytest.raises(ConfigurationError, match=r"handler .*handler: its parameter 'event': cannot decode .*Opaque"):
        Shape(handler)


def test_a_result_of_a_type_is_encoded_as_one():
    def handler(event, context) -> Order: ...

    assert Shape(handler).encode(Order("tea")) == (b'{"item":"tea"}', "application/json")


def test_a_result_of_a_handler_with_a_typed_event_may_be_of_a_type_too():
    def handler(event: Order, context): ...

    assert Shape(handler).encode(Order("tea"))[0] == b'{"item":"tea"}'


def test_what_a_writer_is_for_is_how_it_encodes():
    def handler(event: bytes, response: ResponseWriter[Receipt], context):
        return response

    assert isinstance(arguments(handler), ResponseWriter)
    assert Shape(handler).encode({"price": 1}) == (b'{"price":1}', "application/json")


def test_a_bare_writer_will_do():
    def handler(event, response: ResponseWriter):
        return response

    assert isinstance(arguments(handler), ResponseWriter)


def test_a_generator_with_a_writer_is_refused():
    def handler(event, response: ResponseWriter[Receipt]):
        yield b""

    with pytest.raises(ConfigurationError, match="yields its response and takes a ResponseWriter too"):
        Shape(handler)


def test_what_a_generator_returns_is_no_type_of_a_result():
    def handler(event) -> Opaque:
        yield b""

    shape = Shape(handler)
    assert shape.is_generator
    assert shape.encode is codec.dump  # and nothing was imported for it


def test_annotations_of_a_decorated_function_are_not_those_of_the_decorator():
    """Powertools' `event_parser` and `event_source` take the event as it is, whatever they make of it."""

    def parse(function):
        @functools.wraps(function)
        def wrapper(event, context):
            return function(Order(**event), context)

        return wrapper

    @parse
    def handler(event: Order, context) -> Order:
        return event

    assert arguments(handler) == Order("tea")


def test_annotations_of_a_decorated_function_still_place_its_parameters():
    def passes_on(function):
        # As if it stood in a module where none of the names means anything.
        scope: dict[str, Any] = {"function": function, "__name__": "elsewhere"}
        exec("def wrapper(*args): return function(*args)", scope)
        return functools.wraps(function)(scope["wrapper"])

    @passes_on
    def handler(event, out: ResponseWriter[Receipt], context):
        return out

    assert isinstance(arguments(handler), ResponseWriter)


def test_annotations_are_evaluated_where_the_function_stands():
    source = "from datetime import date as Order\ndef handler(event: 'Order', context): return event"
    scope: dict[str, Any] = {"__name__": "app"}
    exec(source, scope)
    assert arguments(scope["handler"], b'"2026-01-02"').isoformat() == "2026-01-02"


def test_a_function_of_pythons_14_whose_annotations_cannot_be_evaluated(monkeypatch):
    class Format:
        STRING = "string"

    class Function:
        __globals__ = globals()

        @property
        def __annotations__(self):
            raise NameError("Unknown")

    annotationlib: Any = types.ModuleType("annotationlib")
    annotationlib.Format = Format
    annotationlib.get_annotations = lambda function, **_: {"event": "Nothing", "response": "ResponseWriter"}
    monkeypatch.setitem(sys.modules, "annotationlib", annotationlib)
    from polylambda.shapes import _hints

    assert _hints(Function()) == {"response": ResponseWriter}


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated when they are asked for since 3.14")
def test_annotations_that_are_evaluated_when_they_are_asked_for():
    source = """
from polylambda import LambdaContext, ResponseWriter
def handler(event: Unknown, response: ResponseWriter[Unknown], ctx: LambdaContext) -> Unknown: return response, ctx
def writer(event: Unknown, out: ResponseWriter) -> Unknown: return out
"""
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(source, "app.py", "exec", dont_inherit=True), scope)
    writer, given = arguments(scope["handler"])
    assert isinstance(writer, ResponseWriter)
    assert given is CONTEXT
    assert isinstance(arguments(functools.partial(scope["writer"])), ResponseWriter)


# Content types


@pytest.mark.parametrize("content_type", ["application/json", ""])
def test_json_is_decoded(content_type):
    assert Shape(lambda event: event).call(b"[1]", RESPONSE, context(content_type)) == [1]


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-8"])
def test_what_is_not_called_json_stays_bytes_as_under_aws(content_type):
    assert Shape(lambda event: event).call(b"[1]", RESPONSE, context(content_type)) == b"[1]"


# What is a handler


class WithHandle:
    def __init__(self, table: str) -> None:
        self.table = table

    def handle(self, event: Order, context):
        return self.table, event


class Callable:
    def __call__(self, event, context):
        return event


def test_an_object_with_a_handle_method():
    assert arguments(WithHandle("orders")) == ("orders", Order("tea"))


def test_an_object_that_can_be_called():
    assert arguments(Callable()) == {"item": "tea"}


def test_what_can_be_called_is_called_although_it_has_a_handle_method():
    class Both(Callable):
        handle = None

    assert arguments(Both()) == {"item": "tea"}


@pytest.mark.parametrize("kind", [WithHandle, Callable, dict])
def test_a_class_is_refused(kind):
    with pytest.raises(ConfigurationError, match=rf"handler .*{kind.__name__} is a class: pass an instance"):
        Shape(kind)


def test_what_calling_a_function_returned_is_refused():
    async def coroutine(): ...

    def generator():
        yield

    async def asynchronous_generator():
        yield

    called = coroutine()
    for each in (called, generator(), asynchronous_generator()):
        name = each.__qualname__
        with pytest.raises(
            ConfigurationError, match=r"the handler is an? .*pass the function .* without calling it"
        ) as caught:
            Shape(each)
        assert name in str(caught.value)
    called.close()


@pytest.mark.parametrize("target", [None, 42, "app.handler", object(), json])
def test_anything_else_is_refused(target):
    with pytest.raises(
        ConfigurationError, match=r"a handler is a function, or an object with a handle\(\) method, not"
    ):
        Shape(target)


def test_untyped_handlers_import_neither_typing_nor_inspect():
    program = """
import sys
import polylambda
from polylambda.shapes import Shape
Shape(lambda event, context: None)
def annotated(event: dict, context: "polylambda.LambdaContext") -> dict: ...
Shape(annotated)
assert not {"typing", "inspect", "msgspec"} & set(sys.modules), sys.modules
"""
    subprocess.run([sys.executable, "-S", "-c", program], check=True, timeout=50, env={"PYTHONPATH": _path()})


def _path() -> str:
    return str(polylambda.__path__[0]).removesuffix("/polylambda")
