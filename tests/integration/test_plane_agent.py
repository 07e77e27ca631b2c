"""An agent and its client: environments come, answer, refuse, and go."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import pytest

from polylambda.plane.agent.protocol import LogRecord
from polylambda.plane.agent_client import AgentError, Refused
from polylambda.plane.router import Cause
from polylambda.plane.specs import EnvironmentSpec
from polylambda.server.invocation import Invocation, Outcome
from tests.integration.plane_agent import machine, run

APP = """
import os

async def handler(event, context):
    print("hello", context.aws_request_id)
    custom = context.client_context.custom
    return {"custom": custom, "event": event, "tmp": os.environ["TMPDIR"], "cwd": os.getcwd(), "version": context.function_version}

def fail(event, context):
    raise ValueError("bad")
"""


TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_a_python_function_from_start_to_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start({"app.py": APP}, variables={"COLOUR": "blue"})
            invocation = Invocation(
                payload=b'{"a": "\xc3\xbc"}', client_context='{"custom": {"key": "ü\x7f"}}', trace_id=TRACE
            )
            response = await it.client.invoke(environment, invocation, tail=True)
            result = json.loads(await response.read())
            assert (response.outcome, response.content_type) == (Outcome.SUCCESS, "application/json")
            assert (result["event"], result["custom"]) == ({"a": "ü"}, {"key": "ü\x7f"})
            assert result["cwd"].startswith(str(tmp_path / "code"))
            assert Path(result["tmp"]).is_relative_to(tmp_path / "instances")
            assert result["version"] == "1"
            tail = base64.b64decode(response.log_tail).decode().splitlines()
            assert [json.loads(line).get("type") for line in (tail[0], tail[-1])] == [
                "platform.start",
                "platform.report",
            ]
            assert any("hello" in line for line in tail)
            report = await it.record(environment, "platform.report")
            assert report["record"]["requestId"] == invocation.request_id
            assert report["record"]["status"] == "success"
            assert [span["name"] for span in report["record"]["spans"]] == ["responseLatency", "responseDuration"]
            assert sum(span["durationMs"] for span in report["record"]["spans"]) == pytest.approx(
                report["record"]["metrics"]["durationMs"], abs=0.01
            )
            start = await it.record(environment, "platform.start")
            assert start["record"]["tracing"] == {
                "type": "X-Amzn-Trace-Id",
                "value": TRACE,
                "spanId": "53995c3f42cd8ad8",
            }
            assert report["record"]["spans"][0]["start"] <= start["time"] <= report["time"]
            assert (await it.record(environment, "platform.initReport"))["record"]["status"] == "success"
            measures = await it.measures(environment)
            assert measures.memory > 1
            assert measures.polls == 2
            assert measures.hot is None
            await it.client.stop_environment(environment, drain=1.0)
            await it.state(environment, "Stopped")
            assert it.states(environment) == ["Starting", "Ready", "Draining", "Stopped"]
            assert not os.path.exists(result["tmp"])  # noqa: ASYNC240
            await it.client.stop_environment(environment, drain=1.0)  # it is gone already
            assert it.lost == []

    run(test)


def test_errors_of_a_function_are_answers(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start({"app.py": APP}, handler="app.fail")
            response = await it.client.invoke(environment, Invocation(payload=b"{}"))
            assert response.outcome is Outcome.ERROR
            assert json.loads(await response.read())["errorType"] == "ValueError"
            environment = await it.start_raw(polls=1)
            response = await it.invoke(environment, "time.sleep(0.4)", timeout=0.1)
            assert (response.outcome, response.error_type) == (Outcome.TIMEOUT, "Sandbox.Timedout")
            assert b"Task timed out after 0.10 seconds" in await response.read()
            report = await it.record(environment, "platform.report")
            assert (report["record"]["status"], "spans" in report["record"]) == ("timeout", False)

    run(test)


def test_what_cannot_be_taken_is_refused_before_the_runtime_sees_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            with pytest.raises(Refused, match="no environment nowhere"):
                await it.invoke("nowhere", "")
            environment = await it.start_raw(polls=1, slots=1, ready=False)
            with pytest.raises(Refused, match="Starting"):
                await it.invoke(environment, "")
            await it.state(environment, "Ready")
            go = tmp_path / "go"
            busy = asyncio.create_task(
                it.invoke(environment, f"result = 1\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
            )
            await it.record(environment, "platform.start")
            with pytest.raises(Refused, match="no free slot") as refused:
                await it.invoke(environment, "")
            assert refused.value.cause is Cause.CONCURRENCY
            await it.client.stop_environment(environment, drain=30.0)
            await it.state(environment, "Draining")
            with pytest.raises(Refused, match="Draining"):
                await it.invoke(environment, "")
            go.touch()
            assert await (await busy).read() == b"1"  # it was drained
            await it.state(environment, "Stopped")
            assert len([r for r in it.records(environment) if r["type"] == "platform.start"]) == 1

    run(test)


def test_a_drain_that_takes_too_long_fails_what_is_left(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            busy = asyncio.create_task(it.invoke(environment, "time.sleep(60)"))
            await it.record(environment, "platform.start")
            await it.client.stop_environment(environment, drain=0.05)
            response = await busy
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Sandbox.Failure")
            await it.state(environment, "Stopped")

    run(test)


def test_a_runtime_that_polls_ahead_holds_no_more_than_its_slots(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(polls=8, slots=2)
            code = (
                "import threading; counter = globals().setdefault('counter', []); counter.append(1)\n"
                "result = len(counter); time.sleep(0.02); counter.pop()"
            )

            async def call() -> int:
                while True:
                    try:
                        return json.loads(await (await it.invoke(environment, code)).read())
                    except Refused:
                        await asyncio.sleep(0)

            results = await asyncio.gather(*(call() for _ in range(12)))
            assert max(results) == 2

    run(test)


def test_a_slot_is_free_for_whoever_has_its_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(polls=2, slots=2)

            refusals = 0

            async def call() -> None:
                nonlocal refusals
                for number in range(100):
                    try:
                        assert await it.result(environment, str(number)) == number
                    except Refused:  # on a machine that has no time for the runtime
                        refusals += 1

            await asyncio.gather(call(), call())
            assert refusals < 50

    run(test)


def test_a_stream_is_held_back_by_its_reader(tmp_path: Path) -> None:
    app = """
import os
def handler(event, context):
    for number in range(48):
        if number == 36:
            open(event["mark"], "w").close()
        yield b"x" * 1048576
"""

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start({"app.py": app}, slots=2)
            mark = tmp_path / "mark"
            event = json.dumps({"mark": str(mark)}).encode()
            ended: list[str] = []
            response = await it.client.invoke(
                environment, Invocation(payload=event, timeout=40), on_end=lambda r: ended.append(r.outcome.value)
            )
            assert response.streamed
            pieces = aiter(response)
            size = len(await anext(pieces))
            await it.measures(environment)  # a second in which the function could go on
            assert not mark.exists()
            async for piece in pieces:
                size += len(piece)
            assert size == 48 * 1048576
            assert (response.outcome, ended, mark.exists()) == (Outcome.SUCCESS, ["success"], True)

    run(test)


def test_a_stream_whose_reader_hangs_up_runs_to_its_end(tmp_path: Path) -> None:
    app = """
def handler(event, context):
    for number in range(32):
        yield b"x" * 1048576
    raise ValueError("the end")
"""

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start({"app.py": app})
            ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            response = await it.client.invoke(
                environment, Invocation(payload=b"{}", timeout=40), on_end=lambda r: ended.set_result(r.outcome)
            )
            await response.aclose()
            assert await ended is Outcome.ERROR

    run(test)


def test_cancelling_does_not_stop_the_function(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            go, ran = tmp_path / "go", tmp_path / "ran"
            ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            code = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nopen({str(ran)!r}, 'w').close()"
            task = asyncio.create_task(it.invoke(environment, code, on_end=lambda r: ended.set_result(r.outcome)))
            await it.record(environment, "platform.start")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not ended.done()
            go.touch()
            assert await ended is Outcome.SUCCESS
            assert ran.exists()

    run(test)


PROVIDED = {"runtime": "provided.al2023"}

CANNOT_START: list[tuple[dict[str, str], dict[str, str], str, str]] = [
    ({"app.py": "import missing_module"}, {}, "Runtime.ImportModuleError", "missing_module"),
    ({"app.py": ""}, {}, "Runtime.HandlerNotFound", "handler"),
    ({}, PROVIDED, "Runtime.InvalidEntrypoint", "bootstrap"),
    ({"bootstrap": "#!/bin/sh\nexit 7"}, PROVIDED, "Runtime.ExitError", "exit status 7"),
    ({"bootstrap": "#!/no/such/program"}, PROVIDED, "Runtime.InvalidEntrypoint", "cannot run"),
    ({"app.py": ""}, {"runtime": "nodejs22.x"}, "Runtime.InvalidEntrypoint", "nodejs22.x"),
]


def test_what_cannot_start_fails(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            for files, options, error_type, reason in CANNOT_START:
                environment = await it.start(files, ready=False, **options)
                failed = await it.state(environment, "Failed")
                assert (failed.error_type, reason in failed.reason) == (error_type, True), failed
                with pytest.raises(Refused, match="no environment"):
                    await it.invoke(environment, "")

    run(test)


def test_that_another_python_runs_it_is_said_as_something_to_be_logged_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start({"app.py": APP}, runtime="python3.98", system_log_level="DEBUG")
            notes = [event for event in it.events if isinstance(event, LogRecord) and event.once]
            assert [json.loads(bytes(note.record))["record"].split(":")[0] for note in notes] == [
                "this machine has no python3.98"
            ]
            done = await it.record(environment, "platform.initRuntimeDone")
            assert done["record"]["status"] == "success"

    run(test)


def test_an_id_is_given_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            with pytest.raises(AgentError, match="another id"):
                await it.client.start_environment(
                    EnvironmentSpec(
                        id=environment, function_name="f", qualifier="1", code="", runtime="provided", handler=""
                    )
                )

    run(test)


SPEC = '{{"id": "{}", "function_name": "f", "qualifier": "1", "code": "", "runtime": "", "handler": ""}}'

SENSELESS = [
    ("PUT", "/environments/e1", "nonsense", 400),
    ("PUT", "/environments/e1", "{}", 400),
    ("PUT", "/environments/..%2f", SPEC.format("..%2f"), 400),
    ("PUT", "/environments/other", SPEC.format("e1"), 400),
    ("DELETE", "/environments/e1?drain=long", "", 400),
    ("DELETE", "/environments/e1?drain=nan", "", 400),
    ("DELETE", "/environments?drain=-1", "", 400),
    ("DELETE", "/environments/e1", "", 404),
    ("POST", "/environments/e1/invocations", "{}", 404),
    ("PATCH", "/environments/e1", "", 404),
    ("GET", "/", "", 404),
]


def test_requests_that_make_no_sense_do_no_harm(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            for method, target, body, status in SENSELESS:
                found, message = await it.client._ask(method, target, body.encode())
                assert (found, bool(message)) == (status, True), (method, target, message)
            environment = await it.start_raw()
            assert await it.client._ask("GET", "/environments") == (200, "")
            assert await it.result(environment, "'still here'") == "still here"
            assert (await it.client._ask("POST", f"/environments/{environment}/invocations"))[0] == 400

    run(test)


def test_metadata_that_fits_no_header_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            with pytest.raises(AgentError, match="control characters") as error:
                await it.client.invoke(environment, Invocation(payload=b"{}", tenant_id="a\r\nb"))
            assert error.value.status == 400
            assert await it.result(environment, "1") == 1

    run(test)


def test_an_environment_lives_within_its_limits(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            if sys.platform == "linux":
                assert await it.result(environment, "__import__('resource').getrlimit(7)[0]") <= 4096
            tmp = await it.result(environment, "[os.environ['TMPDIR'], os.path.isdir(os.environ['TMPDIR'])]")
            assert tmp[1]
            if "control groups" in it.instance.cpu:
                assert "polylambda-agent-" in await it.result(environment, "open('/proc/self/cgroup').read()")
            else:
                assert await it.result(environment, "os.getpriority(os.PRIO_PROCESS, 0)") == 10

    run(test)


def test_workers_write_their_logs_through_a_socket(tmp_path: Path) -> None:
    code = """
import socket
one, two = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
for it in (one, two):
    it.connect(os.environ["_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET"])
one.sendall(b"first li")
two.sendall(b"second line\\n")
one.sendall(b"ne\\nlast words")
"""

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            await it.result(environment, f"exec({code!r})")
            await it.client.stop_environment(environment, drain=1)
            await it.state(environment, "Stopped")
            lines = [record["record"] for record in it.records(environment) if record["type"] == "function"]
            assert sorted(lines) == ["first line", "last words", "second line"]

    run(test)
