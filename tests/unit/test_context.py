"""The context of an invocation: AWS's names, and ours."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from polylambda import ClientContext, LambdaContext, current_context
from polylambda.context import CURRENT
from polylambda.errors import CONTEXT_UNMARSHAL_ERROR, ContextError
from polylambda.rapi.events import Invocation
from polylambda.report import report
from polylambda.settings import Settings

AWS_NAMES = {
    "aws_request_id",
    "client_context",
    "function_name",
    "function_version",
    "get_remaining_time_in_millis",
    "identity",
    "invoked_function_arn",
    "log",
    "log_group_name",
    "log_stream_name",
    "memory_limit_in_mb",
    "tenant_id",
    "w3c",
}


def make(environ: dict[str, str] | None = None, *, state: Any = None, slot: int = 0, **headers: str) -> LambdaContext:
    """A context; headers are called like `client_context`, and an empty one is absent."""
    names = {
        "request_id": "lambda-runtime-aws-request-id",
        "deadline_ms": "lambda-runtime-deadline-ms",
        "function_arn": "lambda-runtime-invoked-function-arn",
        "trace_id": "lambda-runtime-trace-id",
        "client_context": "lambda-runtime-client-context",
        "cognito_identity": "lambda-runtime-cognito-identity",
        "tenant_id": "lambda-runtime-aws-tenant-id",
        "content_type": "content-type",
    }
    values = {"request_id": "req-1", "deadline_ms": "1700000000000", "function_arn": "arn:f", **headers}
    return LambdaContext(
        Invocation(b"", {names[name]: value for name, value in values.items()}),
        Settings(environ or {}),
        state=state,
        slot=slot,
    )


# AWS's names


def test_every_name_of_aws_is_there():
    context = make()
    assert all(hasattr(context, name) for name in AWS_NAMES)


def test_the_names_are_those_of_awslambdaric():
    module = pytest.importorskip("awslambdaric.lambda_context", reason="awslambdaric is not installed")
    theirs = module.LambdaContext("1", None, None, 0)
    public = {name for name, _ in inspect.getmembers(theirs) if not name.startswith("_")}
    assert public == AWS_NAMES
    ours = make(client_context='{"client": {}}', cognito_identity="{}")
    assert ours.client_context is not None
    for part, theirs_part in (
        (ours.client_context, module.ClientContext),
        (ours.client_context.client, module.Client),
        (ours.identity, module.CognitoIdentity),
    ):
        assert set(theirs_part.__slots__) <= set(dir(part))


def test_the_function_is_the_environments():
    context = make(
        {
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        }
    )
    assert (context.function_name, context.function_version, context.memory_limit_in_mb) == ("orders", "7", "512")
    assert (context.log_group_name, context.log_stream_name) == ("/aws/lambda/orders", "stream")


def test_log_group_and_stream_are_empty_outside_lambda():
    """E26."""
    assert (make().log_group_name, make().log_stream_name) == ("", "")


def test_attributes_may_be_set_and_added():
    context = make()
    for name in sorted(AWS_NAMES | {"deadline", "trace_id", "state", "slot", "anything"}):
        setattr(context, name, "theirs")
        assert getattr(context, name) == "theirs"


def test_vars_shows_what_aws_shows():
    assert {"aws_request_id", "function_name", "memory_limit_in_mb", "invoked_function_arn"} <= set(vars(make()))


# Metadata


def test_time_is_left_before_the_deadline_and_none_after_it():
    """E26."""
    now = time.time()
    ahead = make(deadline_ms=str(int((now + 3600) * 1000)))
    assert 3_500_000 < ahead.get_remaining_time_in_millis() <= 3_600_000
    assert make(deadline_ms=str(int((now - 3600) * 1000))).get_remaining_time_in_millis() <= -3_600_000


def test_the_deadline_is_in_seconds_as_time_counts_them():
    assert make(deadline_ms="1700000000500").deadline == 1700000000.5


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"deadline_ms": ""}, "has no Lambda-Runtime-Deadline-Ms"),
        ({"deadline_ms": "soon"}, "Lambda-Runtime-Deadline-Ms is not a number of milliseconds: 'soon'"),
        ({"deadline_ms": "9" * 400}, "is not a number of milliseconds"),
        ({"deadline_ms": "9" * 5000}, "is not a number of milliseconds"),
        ({"function_arn": ""}, "has no Lambda-Runtime-Invoked-Function-Arn"),
    ],
)
def test_missing_and_malformed_metadata_are_distinct_errors(headers, message):
    """E21."""
    with pytest.raises(ContextError, match=message) as caught:
        make(**headers)
    assert report(caught.value).error_type == CONTEXT_UNMARSHAL_ERROR


def test_the_trace_header_is_the_platforms():
    context = make(trace_id="Root=1-a-b;Sampled=1")
    assert (context.trace_id, context.trace_header) == ("Root=1-a-b;Sampled=1",) * 2


def test_a_trace_header_is_made_up_when_there_is_none():
    """E22."""
    made = [make().trace_id for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=0", each) for each in made)
    context = make()
    assert context.trace_id == context.trace_id


def test_the_tenant_is_none_unless_there_is_one():
    """E23."""
    assert make(tenant_id="blue").tenant_id == "blue"
    assert make(tenant_id="").tenant_id is None
    assert make().tenant_id is None


def test_client_context_and_identity_are_read():
    """E24."""
    context = make(
        client_context='{"custom": {"a": "b"}}',
        cognito_identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}',
    )
    assert context.client_context is not None
    assert context.client_context.custom == {"a": "b"}
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == ("id", "pool")


def test_without_client_context_and_identity_there_are_none():
    context = make()
    assert context.client_context is None
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == (None, None)


def test_an_empty_client_context_has_nothing_in_it():
    """E25."""
    client_context = make(client_context="{}").client_context
    assert client_context is not None
    assert (client_context.custom, client_context.env, client_context.client) == (None, None, None)


def test_every_key_of_a_client_context_has_its_place():
    """E25."""
    client = {
        "installation_id": "i",
        "app_title": "t",
        "app_version_name": "n",
        "app_version_code": "c",
        "app_package_name": "p",
    }
    client_context = make(
        client_context=json.dumps({"client": client, "custom": {"k": 1}, "env": {"e": 2}})
    ).client_context
    assert client_context is not None
    assert (client_context.custom, client_context.env) == ({"k": 1}, {"e": 2})
    assert {name: getattr(client_context.client, name) for name in client} == client


def test_a_client_context_of_null_is_none():
    assert make(client_context="null", cognito_identity="null").client_context is None


@pytest.mark.parametrize("header", ["client_context", "cognito_identity"])
@pytest.mark.parametrize("text", ["{", "[1]", "7", '"text"', "[" * 100_000])
def test_metadata_that_is_no_json_object_is_an_error_of_the_invocation(header, text):
    with pytest.raises(ContextError, match=r"Unable to parse (Client Context|Cognito Identity) JSON") as caught:
        make(**{header: text})
    assert report(caught.value).error_type == CONTEXT_UNMARSHAL_ERROR


def test_the_w3c_trace_context_is_taken_out_of_the_client_context():
    fields = {"traceparent": "00-1-2-01", "tracestate": "a=b", "baggage": 7, "other": "x"}
    context = make(client_context=json.dumps({"w3c": fields, "custom": {"w3c": "stays"}}))
    assert context.w3c() == {"traceparent": "00-1-2-01", "tracestate": "a=b"}
    assert isinstance(context.client_context, ClientContext)
    assert context.client_context.custom == {"w3c": "stays"}
    context.w3c().clear()
    assert context.w3c()


@pytest.mark.parametrize("client_context", ["", "{}", '{"w3c": null}', '{"w3c": []}', "null"])
def test_without_a_w3c_trace_context_there_is_none(client_context):
    assert make(client_context=client_context).w3c() == {}


# Ours


def test_state_and_slot_are_the_runtimes():
    state = object()
    context = make(state=state, slot=3)
    assert (context.state, context.slot) == (state, 3)
    assert make().state is None


def test_the_logger_has_the_functions_name():
    assert make({"AWS_LAMBDA_FUNCTION_NAME": "orders"}).logger is logging.getLogger("orders")
    assert make().logger.name == "lambda"


def test_log_writes_a_line_as_it_is(capfd):
    make().log({"a": 1})
    assert capfd.readouterr().out.rstrip("\n") == "{'a': 1}"


def test_tmp_dir_is_made_on_first_use_and_removed_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context, other = make(), make()
    assert list(tmp_path.iterdir()) == []
    assert context.tmp_dir == context.tmp_dir != other.tmp_dir
    (context.tmp_dir / "file").write_text("x")
    (context.tmp_dir / "folder").mkdir()
    context.close()
    assert list(tmp_path.iterdir()) == [other.tmp_dir]
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_tmp_dir_is_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = make()
    assert context.tmp_dir.stat().st_mode & 0o777 == 0o700
    assert isinstance(context.tmp_dir, Path)
    context.close()


def test_there_is_no_tmp_dir_after_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = make()
    context.close()
    with pytest.raises(LookupError, match="invocation req-1 is over"):
        _ = context.tmp_dir
    assert os.listdir(tmp_path) == []


def test_a_tmp_dir_that_the_handler_removed_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = make()
    context.tmp_dir.rmdir()
    context.close()


def test_a_directory_that_the_handler_put_in_its_place_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = make()
    made = context.tmp_dir
    mine = tmp_path / "mine"
    mine.mkdir()
    context.tmp_dir = mine
    context.close()
    assert mine.exists()
    assert not made.exists()


@contextlib.contextmanager
def current(context: LambdaContext):
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


def test_the_current_context_is_found_in_tasks_and_threads():
    context = make()

    async def find() -> list[LambdaContext]:
        async def task() -> LambdaContext:
            return current_context()

        return [await asyncio.create_task(task()), await asyncio.to_thread(current_context)]

    with current(context):
        assert current_context() is context
        assert asyncio.run(find()) == [context, context]


def test_outside_an_invocation_there_is_no_current_context():
    with pytest.raises(LookupError, match="no invocation is running here"):
        contextvars.Context().run(current_context)
    errors: list[LookupError] = []

    def in_a_thread_of_its_own() -> None:
        try:
            current_context()
        except LookupError as error:
            errors.append(error)

    thread = threading.Thread(target=contextvars.Context().run, args=(in_a_thread_of_its_own,))
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_contexts_and_their_parts_can_be_read():
    text = repr(make(client_context='{"client": {"app_title": "t"}}', cognito_identity="{}"))
    assert "aws_request_id='req-1'" in text
    client_context = make(client_context='{"client": {"app_title": "t"}}').client_context
    assert "app_title='t'" in repr(client_context)
    assert repr(make().identity) == "CognitoIdentity(None, None)"
