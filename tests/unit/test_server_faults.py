from __future__ import annotations

import json
import signal

import pytest

from polylambda.server import faults
from polylambda.server.function import FunctionConfiguration
from polylambda.server.process import Exit


@pytest.mark.parametrize(
    ("header", "error_type"),
    [
        ("Runtime.UnknownReason", "Runtime.UnknownReason"),
        ("Function.MyError", "Function.MyError"),
        ("my Function.MyError!", "my Function.MyError!"),
        ("Function.X", "Function.Unknown"),
        ("Function.lower", "Function.Unknown"),
        ("Function.", "Function.Unknown"),
        ("ValueError", "Runtime.Unknown"),
        ("Runtime.9", "Runtime.Unknown"),
        ("", "Runtime.Unknown"),
    ],
)
def test_error_types_are_what_the_platform_makes_of_them(header: str, error_type: str) -> None:
    assert faults.function_error_type(header) == error_type


def test_a_timeout_has_two_decimals() -> None:
    assert json.loads(faults.timeout_payload(0.1))["errorMessage"] == "Task timed out after 0.10 seconds"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (2, "Runtime exited with error: exit status 2"),
        (-signal.SIGTERM, "Runtime exited with error: signal: terminated"),
    ],
)
def test_exits_in_the_words_of_aws(status: int, reason: str) -> None:
    assert Exit(status).reason == reason


def test_what_is_not_configured_is_not_in_the_environment() -> None:
    variables = FunctionConfiguration(name="f").environment_variables("127.0.0.1:9001")
    assert variables["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/f"
    assert variables.keys().isdisjoint({"_HANDLER", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_MAX_CONCURRENCY"})


def test_the_arn() -> None:
    function = FunctionConfiguration(name="f", region="eu-west-1", account_id="210987654321")
    assert function.arn == "arn:aws:lambda:eu-west-1:210987654321:function:f"
