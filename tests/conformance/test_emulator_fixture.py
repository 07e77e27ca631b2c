"""The emulator fixture itself, shown with AWS's own runtime: what fails here is no fault of polylambda's."""

from __future__ import annotations

import concurrent.futures
import os
import select
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.emulator import HANG, Emulator, EmulatorFailed
from tests.conformance.task_root import TASK_ROOT

ECHO = """
import os

def handler(event, context):
    print("called with", event)
    return {"event": event, "uid": os.getuid(), "pid": os.getpid(), "remaining": context.get_remaining_time_in_millis()}

def fail(event, context):
    raise ValueError("no luck")
"""
CLASSIC, MANAGED = None, 1


@pytest.fixture
def awslambdaric(awslambdaric_python: str) -> Callable[..., Emulator]:
    def emulator(handler: str, **how: Any) -> Emulator:
        return Emulator([awslambdaric_python, "-m", "awslambdaric", handler], files={"app.py": ECHO}, **how)

    return emulator


@pytest.mark.parametrize("slots", [CLASSIC, MANAGED])
def test_an_event_goes_to_the_function_and_back(awslambdaric: Callable[..., Emulator], slots: int | None) -> None:
    with awslambdaric("app.handler", max_concurrency=slots) as emulator:
        answers = [emulator.invoke({"number": number}) for number in range(3)]
        emulator.wait_for_log("called with", count=3)

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.json()["event"] for answer in answers] == [{"number": number} for number in range(3)]
    assert "called with {'number': 2}" in emulator.function_logs


def test_the_managed_mode_is_the_managed_mode(awslambdaric: Callable[..., Emulator]) -> None:
    with awslambdaric("app.handler", max_concurrency=MANAGED) as emulator:
        seen = emulator.invoke({}).json()

    assert seen["remaining"] > 1000 * 60 * 60 * 24 * 365, "deadlines lie years ahead in this mode only"
    assert os.geteuid() != 0 or seen["uid"] == 993


@pytest.mark.parametrize("slots", [CLASSIC, MANAGED])
def test_an_error_of_the_function_is_told_apart(awslambdaric: Callable[..., Emulator], slots: int | None) -> None:
    with awslambdaric("app.fail", max_concurrency=slots) as emulator:
        answer = emulator.invoke({})

    assert answer.json()["errorType"] == "ValueError"
    assert answer.json()["errorMessage"] == "no luck"
    assert slots is CLASSIC or answer.error_type


def test_every_slot_is_ready_when_the_block_begins(awslambdaric: Callable[..., Emulator]) -> None:
    with (
        awslambdaric("app.handler", max_concurrency=4) as emulator,
        concurrent.futures.ThreadPoolExecutor(4) as callers,
    ):
        answers = list(callers.map(emulator.invoke, range(4)))

    assert [answer.status for answer in answers] == [200] * 4
    assert {answer.json()["event"] for answer in answers} == {0, 1, 2, 3}


def test_an_invocation_that_finds_no_poll_is_refused(awslambdaric_python: str) -> None:
    app = "import os\ndef handler(event, context):\n    return open(os.environ['GATE']).read()\n"
    command = [awslambdaric_python, "-m", "awslambdaric", "app.handler"]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(1) as caller:
        gate = Path(folder, "gate")
        os.mkfifo(gate)
        for path in (Path(folder), gate):
            path.chmod(0o755)
        with Emulator(command, max_concurrency=1, env={"GATE": str(gate)}, files={"app.py": app}) as emulator:
            first = caller.submit(emulator.invoke, {})
            with gate.open("w") as opened:  # returns when the handler has opened the other end
                refused = emulator.invoke({}, wait_for_slot=False)
                opened.write("done")
            answer = first.result()

    assert (answer.status, answer.json()) == (200, "done")
    assert (refused.status, refused.error_type) == (400, "Runtime.Unavailable")


def test_environment_variables_reach_the_function(awslambdaric_python: str) -> None:
    app = "import os\ndef handler(event, context):\n    return os.environ['COLOUR']\n"
    for slots in (CLASSIC, MANAGED):
        command = [awslambdaric_python, "-m", "awslambdaric", "app.handler"]
        with Emulator(command, max_concurrency=slots, env={"COLOUR": "blue"}, files={"app.py": app}) as emulator:
            assert emulator.invoke({}).json() == "blue"


def test_nothing_is_left_behind(awslambdaric: Callable[..., Emulator]) -> None:
    was_there = TASK_ROOT.exists()
    with awslambdaric("app.handler", max_concurrency=2) as emulator:
        workers = {emulator.invoke({}).json()["pid"] for _ in range(8)}
        ends = [os.pidfd_open(pid) for pid in workers]

    for end in ends:  # readable once the process has ended
        assert select.select([end], [], [], HANG)[0], "a worker outlived the emulator"
        os.close(end)
    assert TASK_ROOT.exists() == was_there


def test_a_runtime_that_does_not_start_is_an_error_with_its_output() -> None:
    with (
        pytest.raises(EmulatorFailed, match="out of order"),
        Emulator(["sh", "-c", "echo out of order; exit 3"], max_concurrency=MANAGED),
    ):
        pass


def test_sample_events_are_those_of_the_sam_command_line(sample_event: Callable[..., Any]) -> None:
    http = sample_event("apigateway", "http-api-proxy", path="orders/1")
    assert (http["version"], http["rawPath"], http["body"]) == ("2.0", "/orders/1", "eyJ0ZXN0IjoiYm9keSJ9")
    (message,) = sample_event("sqs", "receive-message", body='say "hello"')["Records"]
    assert message["body"] == 'say "hello"'
    assert message["md5OfBody"] == "bb47b66fc67cc12baaf804cbc20b3408"
    assert message["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:MyQueue"
    (record,) = sample_event("s3", "put")["Records"]
    assert (record["s3"]["bucket"]["arn"], record["s3"]["object"]["key"]) == ("arn:aws:s3:::example-bucket", "test/key")
    with pytest.raises(KeyError, match="colour"):
        sample_event("s3", "put", colour="blue")
