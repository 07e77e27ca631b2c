"""The tree of exceptions: who is whose child, what a message says, what survives a process border."""

from __future__ import annotations

import pickle

import pytest

from polylambda import errors
from polylambda.errors import (
    AlreadyRunning,
    ConfigurationError,
    ConnectionLost,
    ContextError,
    Fault,
    InitError,
    MarshalError,
    PolylambdaError,
    ProtocolError,
    Refused,
    ResponseError,
    RuntimeApiError,
    UnmarshalError,
    ValidationError,
)

EVERY_EXCEPTION = [
    ConfigurationError("LOCAL_LAMBDA_PORT='abc' must be a number"),
    AlreadyRunning("a runtime is running"),
    InitError(errors.HANDLER_NOT_FOUND, "Handler 'g' missing on module 'app'", ["one line\n"]),
    ContextError("Unable to parse Client Context JSON"),
    UnmarshalError("Unable to unmarshal input"),
    ValidationError("event.items[3].price", "expected a number, got 'x'"),
    MarshalError("Unable to marshal response"),
    ResponseError("finished", "the response is finished"),
    ConnectionLost("nothing listens on 127.0.0.1:9001"),
    ProtocolError("bad status line"),
    Refused(413, "RequestEntityTooLarge", "too large"),
]


def test_everything_is_a_polylambda_error():
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, BaseException)]
    assert len(classes) > len(EVERY_EXCEPTION)
    assert [item for item in classes if not issubclass(item, PolylambdaError)] == []


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (InitError, Fault),
        (ContextError, Fault),
        (UnmarshalError, Fault),
        (ValidationError, UnmarshalError),
        (MarshalError, Fault),
        (ConnectionLost, RuntimeApiError),
        (ProtocolError, RuntimeApiError),
        (Refused, RuntimeApiError),
    ],
)
def test_children_by_what_the_caller_can_do(child, parent):
    assert issubclass(child, parent)


@pytest.mark.parametrize(
    ("fault", "fault_type"),
    [
        (InitError("Runtime.ImportModuleError", "no"), "Runtime.ImportModuleError"),
        (ContextError(), "Runtime.LambdaContextUnmarshalError"),
        (UnmarshalError(), "Runtime.UnmarshalError"),
        (ValidationError("event", "no"), "ValidationError"),
        (MarshalError(), "Runtime.MarshalError"),
    ],
)
def test_faults_carry_the_name_that_aws_has_for_them(fault, fault_type):
    assert fault.fault_type == fault_type


def test_a_validation_error_names_the_path():
    error = ValidationError("event.items[3].price", "expected a number, got 'x'")
    assert error.path == "event.items[3].price"
    assert str(error) == "event.items[3].price: expected a number, got 'x'"


def test_a_refusal_says_what_the_runtime_api_said():
    assert str(Refused(400, "InvalidRequestID", "Invalid request ID")) == "400 InvalidRequestID: Invalid request ID"
    assert str(Refused(502, "", "Bad Gateway")) == "502 error: Bad Gateway"


def test_a_response_error_says_which_rule():
    error = ResponseError("prelude_late", "the body has begun")
    assert (error.code, str(error)) == ("prelude_late", "the body has begun")


@pytest.mark.parametrize("error", EVERY_EXCEPTION, ids=lambda error: type(error).__name__)
def test_an_exception_survives_the_way_to_another_process(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
