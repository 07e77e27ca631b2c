"""What calling a callable takes, found without `inspect` wherever that is possible."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from unittest.mock import MagicMock

import pytest

from polylambda.errors import ConfigurationError
from polylambda.signatures import name_of, signature_of

REQUIRED, OPTIONAL = True, False


def passes_on(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Greeter:
    def greet(self, event, context): ...

    def write(self, event, response, context): ...

    async def __call__(self, event, context=None): ...

    @passes_on
    def wrapped(self, event, context): ...

    @staticmethod
    def static(event): ...

    @classmethod
    def of_class(cls, event): ...


def parameters(target) -> list[tuple[str, bool]]:
    return signature_of(target).parameters


# Parameters


def test_a_functions_parameters_are_required_unless_they_have_a_default():
    def function(event, context, extra=None): ...

    assert parameters(function) == [("event", REQUIRED), ("context", REQUIRED), ("extra", OPTIONAL)]


def test_positional_only_parameters_count():
    def function(event, /, context=1): ...

    assert parameters(function) == [("event", REQUIRED), ("context", OPTIONAL)]


def test_what_a_method_is_bound_to_is_no_parameter():
    both = [("event", REQUIRED), ("context", REQUIRED)]
    assert parameters(Greeter().greet) == both
    assert parameters(Greeter.of_class) == [("event", REQUIRED)]
    assert parameters(Greeter.static) == [("event", REQUIRED)]
    assert parameters(Greeter()) == [("event", REQUIRED), ("context", OPTIONAL)]


def test_a_wrapper_that_passes_everything_on_takes_what_it_wraps_takes():
    @passes_on
    @passes_on
    def function(event, response, context): ...

    assert [name for name, _ in parameters(function)] == ["event", "response", "context"]


def test_a_wrapped_method_has_no_self():
    assert [name for name, _ in parameters(Greeter().wrapped)] == ["event", "context"]


def test_a_wrapper_names_its_first_parameters_itself():
    def inner(evt, ctx, extra=None): ...

    @functools.wraps(inner)
    def decorate(event, context, *args, **kwargs): ...

    assert parameters(decorate) == [("event", REQUIRED), ("context", REQUIRED), ("extra", OPTIONAL)]


def test_a_wrapper_of_something_that_is_no_function_takes_what_that_takes():
    @functools.wraps(Greeter().write)
    def wrapper(*args): ...

    assert [name for name, _ in parameters(wrapper)] == ["event", "response", "context"]


def test_a_wrapper_that_does_not_say_what_it_wraps_takes_event_and_context():
    def everything(*args, **kwargs): ...

    def from_the_second_on(payload, *rest): ...

    assert [name for name, _ in parameters(everything)] == ["event", "context"]
    assert [name for name, _ in parameters(from_the_second_on)] == ["payload", "context"]


def test_a_required_keyword_is_refused_by_name():
    def function(event, context, *, table): ...

    with pytest.raises(ConfigurationError, match=r"function needs the keyword argument 'table'"):
        signature_of(function)


def test_a_keyword_with_a_default_keeps_it():
    def function(event, context, *, table="orders"): ...

    assert [name for name, _ in parameters(function)] == ["event", "context"]


def test_a_partial_takes_what_is_left():
    def function(table, event, context): ...

    def keyword(event, context, *, table): ...

    assert [name for name, _ in parameters(functools.partial(function, "orders"))] == ["event", "context"]
    assert [name for name, _ in parameters(functools.partial(keyword, table="orders"))] == ["event", "context"]
    assert [name for name, _ in parameters(functools.partial(Greeter().greet, context=None))] == ["event"]
    with pytest.raises(ConfigurationError, match="'table'"):
        signature_of(functools.partial(keyword, context=None))


def test_functions_in_c_take_event_and_context_unless_they_say_otherwise():
    assert [name for name, _ in parameters(print)] == ["event", "context"]
    assert [name for name, _ in parameters(len)] == ["obj"]
    assert [name for name, _ in parameters(dict.update)] == ["event", "context"]  # tells nothing of itself


def test_a_mock_takes_event_and_context():
    assert [name for name, _ in parameters(MagicMock())] == ["event", "context"]


# Kinds


def test_the_four_kinds_of_function():
    def plain(): ...

    async def coroutine(): ...

    def generator():
        yield

    async def asynchronous_generator():
        yield

    kinds = [(each.is_async, each.is_generator) for each in map(signature_of, _kinds(locals()))]
    assert kinds == [(False, False), (True, False), (False, True), (True, True)]


def test_a_partial_is_of_the_kind_of_its_function():
    async def coroutine(table, event): ...

    def generator(table, event):
        yield

    async def asynchronous_generator(table, event):
        yield

    kinds = [signature_of(functools.partial(each, "orders")) for each in _kinds(locals())]
    assert [(each.is_async, each.is_generator) for each in kinds] == [(True, False), (False, True), (True, True)]


def test_an_object_is_of_the_kind_of_its_call_method():
    assert signature_of(Greeter()).is_async


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is new in Python 3.12")
def test_a_function_may_be_marked_as_a_coroutine_function():
    @inspect.markcoroutinefunction
    def function(event, context): ...

    assert signature_of(function).is_async
    assert signature_of(functools.partial(function)).is_async


# Annotations


def test_annotations_of_a_wrapper_are_those_of_what_it_wraps():
    def inner(event): ...

    wrapper = passes_on(passes_on(inner))
    assert signature_of(wrapper).annotated is inner
    assert signature_of(wrapper).is_decorated
    assert not signature_of(inner).is_decorated


def test_a_partial_decorates_nothing():
    def inner(event): ...

    signature = signature_of(functools.partial(inner))
    assert signature.annotated is inner
    assert not signature.is_decorated


# Names


def test_names_say_where_to_look():
    assert name_of(passes_on) == f"{__name__}.passes_on"
    assert name_of(functools.partial(functools.partial(passes_on))) == f"{__name__}.passes_on"
    assert name_of(Greeter().greet) == f"{__name__}.Greeter.greet"
    assert name_of(Greeter()) == f"{__name__}.Greeter"
    assert name_of(MagicMock()) == "unittest.mock.MagicMock"


def test_functions_methods_and_objects_are_read_without_inspect():
    program = """
import sys
from polylambda.signatures import signature_of

class Handler:
    def handle(self, event, context): ...
    def __call__(self, event, context): ...

for each in (Handler().handle, Handler(), lambda event, context: None):
    signature_of(each)
assert "inspect" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)


def _kinds(functions: dict[str, object]) -> list:
    return [each for each in functions.values() if callable(each)]
