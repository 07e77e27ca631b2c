"""The managed runtime under AWS's emulator with 8 and with 64 slots, and beside awslambdaric.

The emulator refuses a request at once that finds no poll. In rounds, in which every slot polls before as many callers as
slots call together, it must refuse none. Callers that do not wait for the polls find the gap between an answer and the next
poll: ours is the time that the emulator takes to read on, since both come in one write.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest

from polylambda.runtime.cpus import count_vcpus
from tests.conformance.emulator import HANG, INVOCATIONS, UNAVAILABLE, Answer, Emulator

VCPUS = count_vcpus()
PROCESSES = {"task": 1, "thread": 1, "hybrid": min(VCPUS, 8), "process": 8}
"""In each mode, with 8 slots."""

Run = Callable[..., Emulator]


@pytest.fixture
def run(function_python: str, polylambda_path: str) -> Run:
    """Make an emulator with polylambda and app.py in it: `with run(source, "task", 8) as emulator:`."""

    def run(source: str, mode: str, slots: int, **variables: str) -> Emulator:
        env = {"PYTHONPATH": polylambda_path, "AWS_LAMBDA_CONCURRENCY_MODE": mode, **variables}
        command = [function_python, "-m", "polylambda", "app.handler"]
        return Emulator(command, max_concurrency=slots, env=env, files={"app.py": source})

    return run


class Caller:
    """One caller on a connection of its own, which stays open: less time between its requests than with a new one."""

    def __init__(self, emulator: Emulator) -> None:
        self._port = emulator._port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.refusals = 0

    async def call(self, event: object) -> Answer:
        """Send an event until it is taken, and count how often it is refused."""
        while True:
            answer = await self._post(json.dumps(event).encode())
            if answer.error_type != UNAVAILABLE:
                return answer
            self.refusals += 1

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    async def _post(self, body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            f"POST {INVOCATIONS} HTTP/1.1\r\nHost: emulator\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields if field)}
        if "content-length" in headers:
            content = await reader.readexactly(int(headers["content-length"]))
        else:
            content = b""
            while size := int(await reader.readline(), 16):
                content += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        return Answer(int(status.split()[1]), headers, content)


async def call_in_rounds(
    emulator: Emulator,
    slots: int,
    rounds: int,
    event: Callable[[int, int], Any] = lambda number, round_: [number, round_],
) -> tuple[list[Answer], int]:
    """Call with as many callers as slots, together, once every slot polls; return the answers and the refusals."""
    callers = [Caller(emulator) for _ in range(slots)]
    answers: list[Answer] = []
    for round_ in range(rounds):
        polls = slots * (round_ + 1)
        await asyncio.to_thread(emulator.wait_for_log, "InvokeRouter: received runtime /next", count=polls)
        events = [event(number, round_) for number in range(slots)]
        answers += await asyncio.gather(*(caller.call(event) for caller, event in zip(callers, events, strict=True)))
    await asyncio.gather(*(caller.close() for caller in callers))
    return answers, sum(caller.refusals for caller in callers)


async def call_without_waiting(emulator: Emulator, slots: int, count: int) -> tuple[dict[int, list[Any]], int]:
    """Call with as many callers as slots, each as fast as it can; return the answers by caller, and the refusals."""

    async def call(number: int) -> int:
        caller = Caller(emulator)
        for turn in range(count):
            answers[number].append((await caller.call([number, turn])).json())
        await caller.close()
        return caller.refusals

    answers: dict[int, list[Any]] = {number: [] for number in range(slots)}
    return answers, sum(await asyncio.gather(*map(call, range(slots))))


# Every slot is used, and every answer is its caller's

TOGETHER = {
    "async def": """
import asyncio, os
from polylambda import current_context

barrier = None

async def handler(event, context):
    global barrier
    barrier = barrier or asyncio.Barrier(int(os.environ["SLOTS_EACH"]))
    for _ in range(3):
        await barrier.wait()
        assert current_context() is context
    return [event, context.aws_request_id, context.slot, os.getpid()]
""",
    "thread": """
import os, threading
from polylambda import concurrency_safe, current_context

barrier = threading.Barrier(int(os.environ["SLOTS_EACH"]))

@concurrency_safe
def handler(event, context):
    for _ in range(3):
        barrier.wait()
        assert current_context() is context
    return [event, context.aws_request_id, context.slot, os.getpid()]
""",
    "process": """
import os

def handler(event, context):
    return [event, context.aws_request_id, context.slot, os.getpid()]
""",
}


@pytest.mark.parametrize(
    ("mode", "slots", "rounds"),
    [("task", 8, 40), ("hybrid", 8, 40), ("process", 8, 40), ("thread", 8, 40), ("task", 64, 8), ("hybrid", 64, 8)],
)
def test_no_request_is_refused_that_has_a_free_slot(run: Run, mode: str, slots: int, rounds: int) -> None:
    processes = slots if mode == "process" else PROCESSES[mode]
    assert slots % processes == 0, "a barrier takes the same number in every process"
    source = TOGETHER.get(mode, TOGETHER["async def"])
    with run(source, mode, slots, SLOTS_EACH=str(slots // processes)) as emulator:
        answers, refusals = asyncio.run(call_in_rounds(emulator, slots, rounds))
        emulator.wait_for_log("InvokeRouter: received runtime /next", count=slots * (rounds + 1))

    assert refusals == 0
    told = [answer.json() for answer in answers]
    assert [event for event, *_ in told] == [[number, round_] for round_ in range(rounds) for number in range(slots)]
    assert len({request_id for _, request_id, _, _ in told}) == slots * rounds
    assert len({pid for *_, pid in told}) == processes
    for round_ in range(rounds):
        part = told[round_ * slots : (round_ + 1) * slots]
        if mode != "process":  # where nothing keeps a slot until the others are called
            assert sorted(slot for _, _, slot, _ in part) == list(range(slots))


# The gap between an answer and the next poll

UNEVEN = {
    "async def": """
import asyncio, random

async def handler(event, context):
    await asyncio.sleep(SECONDS * random.uniform(0.5, 1.5))
    return event
""",
    "def": """
import random, time

def handler(event, context):
    time.sleep(SECONDS * random.uniform(0.5, 1.5))
    return event
""",
}


@pytest.mark.parametrize(("slots", "count", "seconds"), [(8, 30, "0.05"), (64, 5, "0.4")])
def test_far_fewer_requests_are_refused_than_with_awslambdaric(
    run: Run, awslambdaric_python: str, slots: int, count: int, seconds: str
) -> None:
    # A tenth or less on a machine that has nothing else to do. What is left is the emulator's own gap, which grows with
    # whatever else the machine does, while awslambdaric's, which is larger, does not shrink. The benchmark has the figures.
    sources = {shape: source.replace("SECONDS", seconds) for shape, source in UNEVEN.items()}
    refusals: dict[str, int] = {}
    events = {number: [[number, turn] for turn in range(count)] for number in range(slots)}
    for mode in ("hybrid", "process") if slots == 8 else ("hybrid",):
        with run(sources["def" if mode == "process" else "async def"], mode, slots) as emulator:
            answers, refusals[mode] = asyncio.run(call_without_waiting(emulator, slots, count))
        assert answers == events
    command = [awslambdaric_python, "-m", "awslambdaric", "app.handler"]
    with Emulator(command, max_concurrency=slots, files={"app.py": sources["def"]}) as emulator:
        answers, theirs = asyncio.run(call_without_waiting(emulator, slots, count))

    assert answers == events
    assert theirs > slots, "callers that are too slow for the gap show nothing"
    assert all(2 * ours < theirs for ours in refusals.values()), (refusals, theirs)


# Whose line, whose error, whose stream

MIXED = """
import asyncio, logging
from polylambda import ResponseStream, current_context

everybody, streams = asyncio.Barrier(8), asyncio.Barrier(6)

async def handler(event, response: ResponseStream, context):
    kind, number = event
    print("printed", number)
    await everybody.wait()
    logging.warning("warned %s", number)
    if kind == "error":
        raise ValueError(f"{number} {context.aws_request_id}")
    if kind == "result":
        response.finish(f"{number} {context.aws_request_id}")
        return
    response.write(f"{number} ")
    await streams.wait()
    response.write(current_context().aws_request_id)
    await asyncio.to_thread(print, "printed by a thread", number)
    if kind == "broken":
        raise LookupError(f"{number} {context.aws_request_id}")
"""
KINDS = ["stream", "error", "stream", "result", "stream", "broken", "stream", "stream"]
ERRORS = {"error": "ValueError", "broken": "LookupError"}
ROUNDS = 10


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_streams_errors_and_lines_are_those_of_their_invocation(run: Run, log_format: str) -> None:
    with run(MIXED, "task", 8, AWS_LAMBDA_LOG_FORMAT=log_format) as emulator:
        answers, refusals = asyncio.run(
            call_in_rounds(emulator, 8, ROUNDS, lambda number, round_: [KINDS[number], 8 * round_ + number])
        )
        emulator.wait_for_log("printed by a thread", count=6 * ROUNDS)
        for error in ERRORS.values():
            emulator.wait_for_log(error, count=ROUNDS)
        lines = emulator.function_logs

    assert refusals == 0
    ids: dict[str, str] = {}  # by request id, the number of its event
    for number, answer in enumerate(answers):
        kind = KINDS[number % 8]
        if kind in ERRORS:  # the emulator tells the error instead of the stream that it broke
            assert (answer.error_type, answer.json()["errorType"]) == ("Function." + ERRORS[kind], ERRORS[kind])
            told, request_id = answer.json()["errorMessage"].split()
            assert answer.json()["requestId"] == request_id
        else:
            told, request_id = answer.body.decode().split()
            assert answer.error_type is None
        assert told == str(number)
        ids[request_id] = told
    assert len(ids) == 8 * ROUNDS

    said: dict[str, set[str]] = {request_id: set() for request_id in ids}
    for line in lines:
        if log_format == "JSON" and line.startswith("{"):
            record = json.loads(line)
            if "requestId" in record and "message" in record:
                said[record["requestId"]].add(record["message"])
        elif found := re.search(r"(\S+)\t((?:printed|warned).*)", line):
            said[found[1]].add(found[2])
    for request_id, number in ids.items():
        expected = {f"printed {number}", f"warned {number}"}
        if KINDS[int(number) % 8] in ("stream", "broken"):
            expected.add(f"printed by a thread {number}")
        assert said[request_id] == expected


# Ends

LIFESPANS = {
    "async def": """
import contextlib, os
from polylambda import LambdaManagedRuntime

@contextlib.asynccontextmanager
async def lifespan():
    yield "state"
    open(os.path.join(os.environ["FOLDER"], str(os.getpid())), "w").close()

async def serve(event, context):
    return context.state

handler = LambdaManagedRuntime(serve, lifespan=lifespan)
""",
    "def": """
import contextlib, os
from polylambda import LambdaManagedRuntime, concurrency_safe

@contextlib.contextmanager
def lifespan():
    yield "state"
    open(os.path.join(os.environ["FOLDER"], str(os.getpid())), "w").close()

@concurrency_safe
def serve(event, context):
    return context.state

handler = LambdaManagedRuntime(serve, lifespan=lifespan)
""",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which the function may write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.parametrize(
    ("mode", "shape"), [("task", "async def"), ("hybrid", "async def"), ("thread", "def"), ("process", "def")]
)
def test_every_lifespan_is_left_when_the_environment_ends(run: Run, folder: Path, mode: str, shape: str) -> None:
    with run(LIFESPANS[shape], mode, 8, FOLDER=str(folder)) as emulator:
        assert [emulator.invoke({}).json() for _ in range(8)] == ["state"] * 8
        assert list(folder.iterdir()) == []
        emulator.stop()

    assert len(list(folder.iterdir())) == PROCESSES[mode]


KILLED = {
    "hybrid": """
import asyncio, os, signal

async def handler(event, context):
    if event == "die":
        print("dying in", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "hold":
        print("holding in", os.getpid())
        await asyncio.to_thread(os.read, os.open(os.environ["GATE"], os.O_RDONLY), 1)
    return [event, os.getpid()]
""",
    "process": """
import os, signal

def handler(event, context):
    if event == "die":
        print("dying in", os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "hold":
        print("holding in", os.getpid())
        os.read(os.open(os.environ["GATE"], os.O_RDONLY), 1)
    return [event, os.getpid()]
""",
}


@pytest.mark.parametrize("mode", KILLED)
def test_what_a_killed_process_held_is_answered_at_once(run: Run, folder: Path, mode: str) -> None:
    os.mkfifo(folder / "gate")
    (folder / "gate").chmod(0o644)
    with (
        (folder / "gate").open("r+b", buffering=0) as gate,  # for both ends, so that nobody waits for the other one
        ThreadPoolExecutor(8) as callers,
        run(KILLED[mode], mode, 8, GATE=str(folder / "gate")) as emulator,
    ):
        held = [callers.submit(emulator.invoke, "hold") for _ in range(7)]
        emulator.wait_for_log("holding in", count=7)
        death = emulator.invoke("die")
        emulator.wait_for_log("dying in")
        (dead,) = re.findall(r"dying in (\d+)", emulator.logs)
        pids = re.findall(r"holding in (\d+)", emulator.logs)
        lost = [answer.result() for answer in itertools.islice(as_completed(held, HANG), pids.count(dead))]
        gate.write(b"." * (len(held) - len(lost)))  # a byte for each that is still held
        answers = [answer.result() for answer in held]
        later = [emulator.invoke(number).json() for number in range(24)]

    assert len(lost) == (0 if mode == "process" else 8 // PROCESSES[mode] - 1)
    for answer in (death, *lost):
        assert (answer.error_type, answer.json()["errorType"]) == ("Runtime.ExitError", "Runtime.ExitError")
        assert "SIGKILL" in answer.json()["errorMessage"]
    kept = [str(answer.json()[1]) for answer in answers if answer.error_type is None]
    assert sorted(kept) == sorted(pid for pid in pids if pid != dead)
    assert [event for event, _ in later] == list(range(24))
    assert int(dead) not in {pid for _, pid in later}
