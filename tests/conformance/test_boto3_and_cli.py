"""boto3 and the AWS CLI, unmodified, against the local server; and awslambdaric, unmodified, behind it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer

from polylambda.local import eventstream
from polylambda.rapi.headers import MAX_PAYLOAD
from tests.integration.served_function import ServedFunction, served

APP = """
import os
from pathlib import Path

def handler(event, context):
    if event == {"do": "raise"}:
        raise ValueError("no good")
    if isinstance(event, dict) and event.get("do") == "wait":  # until the test writes into the pipe
        print("waiting", flush=True)
        Path(event.get("pipe", "pipe")).read_text()
    if event == {"do": "print"}:
        print("printed by the function")
    if isinstance(event, dict) and "size" in event:
        return "x" * event["size"]
    return {
        "event": event if len(str(event)) < 1000 else "large",
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "custom": context.client_context and context.client_context.custom,
        "tenant": context.tenant_id,
        "concurrency": os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY"),
    }

def meet(event, context):
    # One end of a pipe opens when the other one does: two invocations that run at the same time.
    with open("pipe", event["mode"]):
        return "met"

def pieces(event, context):
    yield b"one"
    Path("pipe").read_text()
    print("printed by the function")
    yield b"two"

def broken(event, context):
    yield b"one"
    raise ValueError("no good")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.fixture
def function() -> Iterator[ServedFunction]:
    with served() as function:
        yield function


@pytest.fixture
def client(function: ServedFunction) -> Iterator[Any]:
    with client_of(function) as client:
        yield client


@contextlib.contextmanager
def client_of(function: ServedFunction, attempts: int = 1) -> Iterator[Any]:
    """A boto3 client that does not try again: the first answer is what is tested."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    client = boto3.client("lambda", endpoint_url=function.url, config=config)
    try:
        yield client
    finally:
        client.close()


def invoke(client: Any, event: Any = None, **parameters: Any) -> dict[str, Any]:
    if event is not None:
        parameters["Payload"] = json.dumps(event)
    answer = client.invoke(**{"FunctionName": "function", **parameters})
    answer["Payload"] = answer["Payload"].read()
    return answer


def log_of(answer: dict[str, Any]) -> list[str]:
    return base64.b64decode(answer["LogResult"]).decode().splitlines()


class TestInvoke:
    def test_result(self, client: Any):
        answer = invoke(client, {"a": "ä"})
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        assert "FunctionError" not in answer
        result = json.loads(answer["Payload"])
        assert result["event"] == {"a": "ä"}
        assert result["id"] == answer["ResponseMetadata"]["RequestId"]
        assert result["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:function"

    def test_no_payload(self, client: Any):
        assert json.loads(invoke(client)["Payload"])["event"] == {}

    def test_function_error(self, client: Any):
        answer = invoke(client, {"do": "raise"})
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        error = json.loads(answer["Payload"])
        assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no good")
        assert "in handler" in error["stackTrace"][0]

    def test_event(self, client: Any, function: ServedFunction):
        answer = invoke(client, {"do": "print"}, InvocationType="Event")
        assert (answer["StatusCode"], answer["Payload"]) == (202, b"")
        function.screen.wait_for("printed by the function")

    def test_dry_run(self, client: Any, function: ServedFunction):
        answer = invoke(client, {"do": "print"}, InvocationType="DryRun")
        assert (answer["StatusCode"], answer["Payload"]) == (204, b"")
        invoke(client, {})
        assert "printed by the function" not in function.screen.getvalue()

    def test_log_tail(self, client: Any):
        invoke(client, {"do": "raise"})
        answer = invoke(client, {"do": "print"}, LogType="Tail")
        request_id = answer["ResponseMetadata"]["RequestId"]
        start, printed, end, report = log_of(answer)
        assert start == f"START RequestId: {request_id} Version: $LATEST"
        assert printed == "printed by the function"
        assert end == f"END RequestId: {request_id}"
        assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")

    def test_log_tail_of_an_error(self, client: Any):
        log = "\n".join(log_of(invoke(client, {"do": "raise"}, LogType="Tail")))
        assert "[ERROR] ValueError: no good" in log

    def test_client_context(self, client: Any):
        context = base64.b64encode(json.dumps({"custom": {"key": "value"}}).encode()).decode()
        assert json.loads(invoke(client, {}, ClientContext=context)["Payload"])["custom"] == {"key": "value"}

    def test_tenant(self, client: Any):
        assert json.loads(invoke(client, {}, TenantId="blue")["Payload"])["tenant"] == "blue"

    @pytest.mark.parametrize(
        ("name", "qualifier", "version"),
        [
            ("function:7", None, "7"),
            ("function", "7", "7"),
            ("arn:aws:lambda:eu-west-1:111122223333:function:function", None, "$LATEST"),
            ("111122223333:function:function", "$LATEST", "$LATEST"),
            ("function:alias", None, "$LATEST"),
        ],
    )
    def test_names(self, client: Any, name: str, qualifier: str | None, version: str):
        parameters = {"Qualifier": qualifier} if qualifier else {}
        answer = invoke(client, {}, FunctionName=name, **parameters)
        assert answer["ExecutedVersion"] == version

    def test_unknown_function(self, client: Any):
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found: arn:aws:lambda"):
            invoke(client, {}, FunctionName="other")

    @pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
    def test_what_is_not_json(self, client: Any, kind: str):
        with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse"):
            invoke(client, Payload=b"nope", InvocationType=kind)

    def test_malformed_client_context(self, client: Any):
        with pytest.raises(client.exceptions.InvalidRequestContentException, match="Base64"):
            invoke(client, {}, ClientContext="e30=%")

    def test_largest_event(self, client: Any):
        event = "x" * (MAX_PAYLOAD - 2)
        assert json.loads(invoke(client, event)["Payload"])["event"] == "large"
        with pytest.raises(client.exceptions.RequestTooLargeException, match="must be smaller"):
            invoke(client, event + "x")

    def test_largest_asynchronous_event(self, client: Any):
        with pytest.raises(client.exceptions.RequestTooLargeException, match="Event"):
            invoke(client, "x" * 1024 * 1024, InvocationType="Event")

    def test_largest_result(self, client: Any):
        assert len(invoke(client, {"size": 6_000_000})["Payload"]) == 6_000_002
        answer = invoke(client, {"size": MAX_PAYLOAD})
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(answer["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"

    def test_other_operations_are_refused_with_a_sentence(self, client: Any):
        with pytest.raises(client.exceptions.ClientError, match="of AWS's API there is only"):
            client.list_functions()

    def test_deprecated_invoke_async(self, client: Any, function: ServedFunction):
        answer = client.invoke_async(FunctionName="function", InvokeArgs=b'{"do": "print"}')
        assert answer["Status"] == 202
        function.screen.wait_for("printed by the function")


class TestLimits:
    def test_throttling(self, folder: Path):
        with served(queue_limit=1) as function, client_of(function) as client:
            running = function.invoke_later({"do": "wait"})
            function.screen.wait_for("waiting")
            # One of these waits in the queue; which one does not matter.
            waiting = [function.invoke_later({}) for _ in range(2)]
            function.screen.wait_for("refused")
            with pytest.raises(client.exceptions.TooManyRequestsException, match="Rate Exceeded") as caught:
                invoke(client, {})
            assert caught.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
            assert caught.value.response["retryAfterSeconds"] == "1"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            with pytest.raises(client.exceptions.TooManyRequestsException):
                client.invoke_with_response_stream(FunctionName="function")
            (folder / "pipe").write_text("go")
            assert running.result().status == 200
            assert sorted(one.result().status for one in waiting) == [200, 429]

    def test_throttled_callers_who_try_again_get_their_answer(self, folder: Path):
        with served(queue_limit=1) as function, client_of(function, attempts=10) as client:
            running = function.invoke_later({"do": "wait"})
            function.screen.wait_for("waiting")
            waiting = [function.invoke_later({}) for _ in range(2)]
            function.screen.wait_for("refused")
            persistent = function.callers.submit(invoke, client, {"a": 1})
            function.screen.wait_for("refused", times=2)
            (folder / "pipe").write_text("go")
            assert json.loads(persistent.result()["Payload"])["event"] == {"a": 1}
            assert running.result().status == 200
            assert sorted(one.result().status for one in waiting) == [200, 429]

    def test_timeout(self):
        with served(timeout=0.5) as function, client_of(function) as client:
            answer = invoke(client, {"do": "wait"})
            assert answer["FunctionError"] == "Unhandled"
            assert json.loads(answer["Payload"]) == {
                "errorType": "Sandbox.Timedout",
                "errorMessage": "Task timed out after 0.50 seconds",
            }


class TestInvokeWithResponseStream:
    def test_pieces_arrive_while_the_function_still_runs(self, folder: Path):
        with served("app.pieces") as function, client_of(function) as client:
            answer = client.invoke_with_response_stream(FunctionName="function", Payload=b"{}", LogType="Tail")
            assert answer["StatusCode"] == 200
            assert answer["ExecutedVersion"] == "$LATEST"
            assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
            events = iter(answer["EventStream"])
            assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
            (folder / "pipe").write_text("go")
            assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
            end = next(events)["InvokeComplete"]
            assert "ErrorCode" not in end
            assert "printed by the function" in log_of(end)
            assert list(events) == []

    def test_error_in_the_stream(self):
        with served("app.broken") as function, client_of(function) as client:
            answer = client.invoke_with_response_stream(FunctionName="function", Payload=b"{}")
            piece, end = answer["EventStream"]
            assert piece == {"PayloadChunk": {"Payload": b"one"}}
            assert end["InvokeComplete"]["ErrorCode"] == "Function.ValueError"
            assert json.loads(end["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "no good"

    def test_error_before_the_stream(self, client: Any):
        answer = client.invoke_with_response_stream(FunctionName="function", Payload=b'{"do": "raise"}')
        (end,) = answer["EventStream"]
        assert end["InvokeComplete"]["ErrorCode"] == "Unhandled"
        assert json.loads(end["InvokeComplete"]["ErrorDetails"])["errorType"] == "ValueError"

    def test_buffered_function(self, client: Any):
        answer = client.invoke_with_response_stream(FunctionName="function", Payload=b"{}")
        piece, end = answer["EventStream"]
        assert json.loads(piece["PayloadChunk"]["Payload"])["event"] == {}
        assert end == {"InvokeComplete": {}}

    def test_stream_is_one_piece_for_invoke(self, folder: Path):
        with served("app.pieces") as function, client_of(function) as client:
            answer = function.callers.submit(invoke, client, {})
            (folder / "pipe").write_text("go")
            assert answer.result()["Payload"] == b"onetwo"

    def test_unknown_function(self, client: Any):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.invoke_with_response_stream(FunctionName="other")

    def test_botocore_reads_our_frames(self):
        buffer = EventStreamBuffer()
        buffer.add_data(eventstream.frame({"a": "b", "ä": "", "long": "x" * 5000}, bytes(range(256))))
        buffer.add_data(eventstream.frame({}, b""))
        first, second = buffer
        assert (first.headers, first.payload) == ({"a": "b", "ä": "", "long": "x" * 5000}, bytes(range(256)))
        assert (second.headers, second.payload) == ({}, b"")


class TestAwsCli:
    @pytest.fixture
    def aws(self, aws_cli: list[str], function: ServedFunction) -> Callable[..., subprocess.CompletedProcess[str]]:
        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            words = [*aws_cli, "lambda", "invoke", "--endpoint-url", function.url, *arguments, "out"]
            return subprocess.run(words, capture_output=True, text=True, check=False, timeout=50)

        return run

    def test_result(self, aws: Callable[..., Any], folder: Path):
        done = aws("--function-name", "function", "--payload", '{"a": 1}')
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        assert json.loads((folder / "out").read_text())["event"] == {"a": 1}

    def test_error_and_log(self, aws: Callable[..., Any], folder: Path):
        done = aws("--function-name", "function", "--payload", '{"do": "raise"}', "--log-type", "Tail")
        answer = json.loads(done.stdout)
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert "[ERROR] ValueError: no good" in "\n".join(log_of(answer))
        assert json.loads((folder / "out").read_text())["errorType"] == "ValueError"

    @pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
    def test_invocation_types(self, aws: Callable[..., Any], kind: str, status: int):
        done = aws("--function-name", "function", "--invocation-type", kind)
        assert json.loads(done.stdout)["StatusCode"] == status

    def test_unknown_function(self, aws: Callable[..., Any]):
        done = aws("--function-name", "other")
        assert done.returncode != 0
        assert "ResourceNotFoundException" in done.stderr
        assert "Function not found" in done.stderr


class TestAwslambdaric:
    """AWS's own runtime, unmodified, behind the local server."""

    @pytest.fixture
    def command(self, awslambdaric_python: str) -> list[str]:
        return [awslambdaric_python, "-m", "awslambdaric"]

    def test_invoke(self, command: list[str]):
        with served([*command, "app.handler"]) as function, client_of(function) as client:
            assert json.loads(invoke(client, {"a": 1}, TenantId="blue")["Payload"])["tenant"] == "blue"
            answer = invoke(client, {"do": "raise"}, LogType="Tail")
            assert answer["FunctionError"] == "Unhandled"
            assert "[ERROR] ValueError: no good" in "\n".join(log_of(answer))

    def test_function_that_cannot_start(self, command: list[str]):
        with served([*command, "app.nope"]) as function:
            reply = function.invoke({})
            assert (reply.status, reply.json["errorType"]) == (500, "Runtime.HandlerNotFound")

    def test_reload_waits_for_what_is_under_way(self, command: list[str], folder: Path):
        # It ends at once on SIGTERM, in the middle of an invocation.
        with served([*command, "app.handler"], watch=(folder,)) as function:
            running = function.invoke_later({"do": "wait"})
            function.screen.wait_for("waiting")
            (folder / "new").write_text("def handler(event, context):\n    return 'new'\n")
            (folder / "new").replace(folder / "app.py")
            function.screen.wait_for("changed")
            following = function.invoke_later({})
            (folder / "pipe").write_text("go")
            assert running.result().json["event"] == {"do": "wait"}
            assert following.result().json == "new"

    def test_concurrency(self, command: list[str]):
        with served([*command, "app.meet"], concurrency=2) as function:
            answers = [function.invoke_later({"mode": mode}) for mode in ("r", "w")]
            assert [answer.result().json for answer in answers] == ["met", "met"]

    def test_concurrency_is_a_limit(self, command: list[str], folder: Path):
        with served([*command, "app.handler"], concurrency=2, queue_limit=1) as function:
            pipes = [folder / "first", folder / "second"]  # whoever reads a pipe of two readers may end both
            for pipe in pipes:
                os.mkfifo(pipe)
            running = [function.invoke_later({"do": "wait", "pipe": pipe.name}) for pipe in pipes]
            function.screen.wait_for("waiting", times=2)
            others = [function.invoke_later({}) for _ in range(2)]
            function.screen.wait_for("refused")
            for pipe in pipes:
                pipe.write_text("go")
            assert [one.result().status for one in running] == [200, 200]
            assert sorted(one.result().status for one in others) == [200, 429]
            assert function.invoke({}).json["concurrency"] == "2"
