"""What is refused at the door, because invocations would share it, and how one says that it is meant."""

from __future__ import annotations

import functools
import http.client
import io
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from polylambda import LambdaManagedRuntime
from polylambda.errors import ConfigurationError
from polylambda.handlers import compile_handler
from polylambda.safety import concurrency_safe, is_declared_safe, refuse_shared_state
from polylambda.settings import Settings


class Handler:
    """A handler object with whatever attributes."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def handle(self, event: Any, context: Any) -> None: ...

    def __call__(self, event: Any, context: Any) -> None: ...


def function(event: Any, context: Any) -> None: ...


async def coroutine_function(event: Any, context: Any) -> None: ...


# What invocations would share

MUTABLE: dict[str, Callable[[], Any]] = {
    "dict": dict,
    "list": list,
    "set": set,
    "bytearray": bytearray,
    "deque": deque,
    "OrderedDict": OrderedDict,
    "defaultdict": lambda: defaultdict(int),
    "BytesIO": io.BytesIO,
    "StringIO": io.StringIO,
}


@pytest.mark.parametrize("kind", MUTABLE)
def test_mutable_state_is_refused_by_the_name_of_its_attribute(kind: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        refuse_shared_state(Handler(table="orders", cache=MUTABLE[kind]()))
    message = str(caught.value)
    assert f"handler Handler holds mutable state, its attribute 'cache' ({kind})" in message
    for way_out in ("declare its class @concurrency_safe", "AWS_LAMBDA_CONCURRENCY_MODE=process"):
        assert way_out in message


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "text",
        b"bytes",
        (1, 2),
        frozenset({1}),
        1.5,
        MappingProxyType({}),
        threading.Lock(),
        function,
        object(),
    ],
    ids=lambda value: type(value).__name__,  # the same in every process that collects tests
)
def test_what_nobody_changes_by_accident_is_not(value: object) -> None:
    refuse_shared_state(Handler(value=value))


def test_functions_have_no_state_that_could_be_seen() -> None:
    def counting(event: Any, context: Any) -> None: ...

    counting.calls = []  # pyright: ignore[reportFunctionMemberAccess]
    for handler in (function, coroutine_function, counting, lambda event, context: None, functools.partial(function)):
        refuse_shared_state(handler)


def test_a_method_is_refused_for_its_object() -> None:
    refuse_shared_state(Handler(table="orders").handle)
    with pytest.raises(ConfigurationError, match=r"handler Handler .* 'seen' \(set\)"):
        refuse_shared_state(Handler(seen=set()).handle)


class Slotted:
    __slots__ = ("__hidden", "__weakref__", "table")

    def __init__(self, hidden: object = None) -> None:
        self.table = "orders"
        self.__hidden = hidden

    def handle(self, event: Any, context: Any) -> None: ...


class OneSlot(Slotted):
    __slots__ = "cache"  # noqa: PLC0205 # the form that is one name


class DictBehindSlots(Slotted):
    """Has a __dict__ again."""


def test_attributes_in_slots_count() -> None:
    refuse_shared_state(Slotted())
    refuse_shared_state(OneSlot())  # its slot is empty
    handler = OneSlot()
    handler.cache = {}
    with pytest.raises(ConfigurationError, match=r"handler OneSlot .* 'cache' \(dict\)"):
        refuse_shared_state(handler)


def test_private_slots_and_those_of_base_classes_count() -> None:
    with pytest.raises(ConfigurationError, match=r"'_Slotted__hidden' \(list\)"):
        refuse_shared_state(Slotted([]))
    with pytest.raises(ConfigurationError, match=r"'_Slotted__hidden' \(list\)"):
        refuse_shared_state(OneSlot([]))


def test_attributes_beside_slots_count() -> None:
    handler = DictBehindSlots()
    handler.cache = {}  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ConfigurationError, match=r"'cache' \(dict\)"):
        refuse_shared_state(handler)


# Saying that it is safe


@concurrency_safe
class Declared(Handler):
    pass


class Inherits(Declared):
    pass


class DeclaredHandle:
    def __init__(self) -> None:
        self.cache: dict[str, str] = {}

    @concurrency_safe
    def handle(self, event: Any, context: Any) -> None: ...

    def other(self, event: Any, context: Any) -> None: ...


class DeclaredCall:
    def __init__(self) -> None:
        self.cache: dict[str, str] = {}

    @concurrency_safe
    def __call__(self, event: Any, context: Any) -> None: ...


@pytest.mark.parametrize(
    "handler",
    [
        Declared(cache={}),
        Declared(cache={}).handle,
        Inherits(cache={}),
        DeclaredHandle(),
        DeclaredHandle().handle,
        DeclaredCall(),
        concurrency_safe(Handler(cache={})),
    ],
    ids=["class", "its method", "subclass", "handle", "bound handle", "call", "object"],
)
def test_what_is_declared_safe_may_hold_state(handler: Any) -> None:
    assert is_declared_safe(handler)
    refuse_shared_state(handler)


def test_a_declared_function_is_safe_and_others_are_not() -> None:
    @concurrency_safe
    def declared(event: Any, context: Any) -> None: ...

    assert is_declared_safe(declared)
    for handler in (function, coroutine_function, Handler(), Handler().handle, functools.partial(function), None, 3):
        assert not is_declared_safe(handler)


def test_what_wraps_a_declared_function_is_declared() -> None:
    @concurrency_safe
    def declared(event: Any, context: Any) -> None: ...

    @functools.wraps(declared)
    def wrapper(event: Any, context: Any) -> None: ...

    assert is_declared_safe(wrapper)


def test_declaring_changes_nothing_else() -> None:
    def plain(event: Any, context: Any) -> str:
        return "answer"

    assert concurrency_safe(plain) is plain
    assert concurrency_safe(Handler) is Handler
    try:
        assert is_declared_safe(Handler())
    finally:
        del Handler.__polylambda_concurrency_safe__  # pyright: ignore[reportAttributeAccessIssue]
    assert not is_declared_safe(Handler())


# At the door of the runtime


def generator() -> Any:
    yield 1


async def async_generator() -> Any:
    yield 1


def start(handler: object, **variables: str) -> None:
    """Do what `run` does before it serves."""
    runtime = LambdaManagedRuntime(handler)
    runtime.check(Settings(variables))
    compile_handler(runtime.handler, runtime.middleware)


@pytest.mark.parametrize(
    ("handler", "named"),
    [
        (generator(), "generator: pass the function generator itself"),
        (async_generator(), "generator: pass the function async_generator itself"),
        (http.client.HTTPConnection("localhost"), "HTTPConnection"),
        (http.client.HTTPConnection("localhost").request, "HTTPConnection"),
        (io.BytesIO(), "BytesIO"),
    ],
    ids=["generator", "asynchronous generator", "client session", "its method", "file"],
)
def test_what_was_opened_or_begun_is_no_handler(handler: object, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        start(handler)


def test_the_runtime_refuses_an_object_with_state_unless_each_slot_has_a_process() -> None:
    with pytest.raises(ConfigurationError, match="'cache'"):
        start(Handler(cache={}))
    with pytest.raises(ConfigurationError, match="'cache'"):
        start(Handler(cache={}), AWS_LAMBDA_CONCURRENCY_MODE="thread")
    start(Handler(cache={}), AWS_LAMBDA_CONCURRENCY_MODE=" Process ")
    start(Declared(cache={}))
    start(Handler(table="orders"))


def test_concurrency_in_code_counts_and_the_environment_goes_before_it() -> None:
    runtime = LambdaManagedRuntime(Handler(cache={}), concurrency="process")
    runtime.check(Settings({}))
    with pytest.raises(ConfigurationError, match="'cache'"):
        runtime.check(Settings({"AWS_LAMBDA_CONCURRENCY_MODE": "hybrid"}))
