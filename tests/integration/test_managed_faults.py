"""Faults of a managed environment: whatever breaks, every caller gets an answer, and every slot is there again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests import scripted
from tests.environment import PATIENCE, Answer, Environment, eventually
from tests.integration.managed import MEETING, ManagedProgram, kill, managed, managed_environment, polls
from tests.scripted import Peer, ScriptedServer

pytestmark = pytest.mark.timeout(120)

SLOTS = 8

WORK = (
    MEETING
    + """
import resource

def do(what, context):
    if what == "exit":
        os._exit(3)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "eat":
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        bytearray(4 << 30)
    elif what == "pid":
        return os.getpid()
"""
)

DEF = """
from polylambda import concurrency_safe

def stop_here():
    threading.Event().wait()

@concurrency_safe
def handler(event, context):
    if "meeting" in event:
        meet(event)
    time.sleep(event.get("seconds", 0))
    if event.get("do") == "hang":
        stop_here()
    return [event["number"], context.aws_request_id, do(event.get("do"), context)]
"""

ASYNC_DEF = """
async def handler(event, context):
    if "meeting" in event:
        await meet_async(event)
    await asyncio.sleep(event.get("seconds", 0))
    if event.get("do") == "hang":
        await asyncio.Event().wait()
    if event.get("do") == "hang on":
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()
    return [event["number"], context.aws_request_id, do(event.get("do"), context)]
"""

SOURCES = {"process": WORK + DEF, "thread": WORK + DEF, "hybrid": WORK + ASYNC_DEF, "task": WORK + ASYNC_DEF}
in_several_processes = pytest.mark.parametrize("mode", ["process", "hybrid"])
in_every_mode = pytest.mark.parametrize("mode", ["process", "hybrid", "thread", "task"])


@pytest.fixture
def environment() -> Iterator[Environment]:
    with managed_environment(SLOTS) as environment:
        yield environment


def run(environment: Environment, folder: Path, mode: str, **variables: str) -> ManagedProgram:
    return managed(environment, folder, SOURCES[mode], AWS_LAMBDA_CONCURRENCY_MODE=mode, **variables)


def begin(environment: Environment, number: int, *, timeout: float = PATIENCE, **event: object) -> Future[Answer]:
    return environment.begin(json.dumps({"number": number, **event}).encode(), timeout=timeout)


def check_result(answer: Answer, number: int) -> Any:
    """Make sure that an invocation got its own result; return what it was told to do."""
    assert answer.outcome == "success", answer
    assert answer.json[:2] == [number, answer.request_id]
    return answer.json[2]


def check_death(answer: Answer, how: str) -> None:
    """Make sure that an invocation was answered with the death of its process."""
    assert answer.error_type == "Runtime.ExitError", answer
    assert answer.json["errorType"] == "Runtime.ExitError"
    assert answer.json["errorMessage"] == (
        f"RequestId: {answer.request_id} Error: the worker process that handled it {how}"
    )


def overlap(environment: Environment, name: str, slots: int = SLOTS, **event: object) -> list[Any]:
    """Have so many invocations overlap: none ends before all have begun. Return what they were told to do."""
    event |= {"meeting": name, "parties": slots}
    answers = [begin(environment, number, **event) for number in range(slots)]
    return [check_result(answer.result(PATIENCE), number) for number, answer in enumerate(answers)]


# Workers that die


@in_several_processes
def test_killed_workers_are_replaced_and_nothing_stays_unanswered(environment, tmp_path, mode):
    with run(environment, tmp_path, mode) as program:
        overlap(environment, "before")
        answers: list[Future[Answer]] = []
        killed = 0
        for _ in range(10):
            answers += [begin(environment, len(answers) + number, seconds=0.002) for number in range(200)]
            eventually(answers[-100].done)
            killed += kill(min(program.workers()))
        results = [answer.result(PATIENCE) for answer in answers]
        overlap(environment, "after")
    assert killed == 10
    lost = 0
    for number, answer in enumerate(results):
        if answer.outcome == "success":
            check_result(answer, number)
        else:
            check_death(answer, "was killed by signal 9 (SIGKILL)")
            lost += 1
    assert 0 < lost <= killed * (1 if mode == "process" else SLOTS // 2)


ECHO = {
    "process": """
from polylambda import ResponseStream
def handler(event: bytes, response: ResponseStream, context):
    if event[:1] == b"s":
        for at in range(0, len(event), 50_000):
            response.write(event[at : at + 50_000])
    response.finish(b"" if event[:1] == b"s" else event)
""",
    "hybrid": """
from polylambda import ResponseStream
async def handler(event: bytes, response: ResponseStream, context):
    if event[:1] == b"s":
        for at in range(0, len(event), 50_000):
            await response.write(event[at : at + 50_000])
    await response.finish(b"" if event[:1] == b"s" else event)
""",
}


@in_several_processes
@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_large_events_and_answers_and_streams_of_killed_workers_end_too(environment, tmp_path, mode, pipelining):
    """Whole, or with an error; never cut off without one."""
    variables = {"AWS_LAMBDA_CONCURRENCY_MODE": mode, "POLYLAMBDA_PIPELINING": pipelining}
    with managed(environment, tmp_path, ECHO[mode], **variables) as program:
        eventually(lambda: polls(environment) == SLOTS)
        answers: list[tuple[bytes, Future[Answer]]] = []
        for _ in range(8):
            for number in range(40):
                payload = b"%c%d " % (b"sb"[number % 2], number) + bytes(500_000)
                answers.append((payload, environment.begin(payload, content_type="application/octet-stream")))
            eventually(answers[-20][1].done)
            for pid in sorted(program.workers())[::2]:
                kill(pid)
        results = [(payload, answer.result(PATIENCE)) for payload, answer in answers]
        eventually(lambda: polls(environment) == SLOTS)
    for payload, answer in results:
        if answer.outcome == "success":
            assert answer.body == payload
        elif answer.outcome == "truncated":
            assert answer.error_type == "Runtime.TruncatedResponse"
            assert payload.startswith(answer.body) if answer.streamed else answer.json["errorType"] == answer.error_type
        elif answer.streamed:
            assert answer.error_type == "Runtime.ExitError"
            assert payload.startswith(answer.body)
        else:
            check_death(answer, "was killed by signal 9 (SIGKILL)")


STREAM = {
    "process": """
import time
from pathlib import Path

def handler(event, context):
    yield b"begun"
    while not Path("gate").exists():
        time.sleep(0.005)
""",
    "hybrid": """
import asyncio

async def handler(event, context):
    yield b"begun"
    await asyncio.Event().wait()
""",
}


@in_several_processes
def test_streams_of_a_killed_worker_are_cut_off_with_an_error(environment, tmp_path, mode):
    with managed(environment, tmp_path, STREAM[mode], AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
        eventually(lambda: polls(environment) == SLOTS)
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(environment.stream()) for _ in range(SLOTS)]
            assert [next(stream) for stream in streams] == [b"begun"] * SLOTS
            for pid in program.workers():
                kill(pid)
            for stream in streams:
                assert list(stream) == []
                assert stream.response.error_type in ("Runtime.TruncatedResponse", "Runtime.ExitError")
        eventually(lambda: polls(environment) == SLOTS)


@in_several_processes
@pytest.mark.parametrize(
    ("what", "how"), [("exit", "exited with code 3"), ("kill", "was killed by signal 9 (SIGKILL)")]
)
def test_a_handler_that_ends_its_process_is_answered_for(environment, tmp_path, mode, what, how):
    with run(environment, tmp_path, mode):
        overlap(environment, "before")
        check_death(begin(environment, 1, do=what).result(PATIENCE), how)
        overlap(environment, "after")


def test_workers_that_die_again_and_again_at_work_do_not_end_the_environment(environment, tmp_path):
    """Unlike those that never come to work."""
    with run(environment, tmp_path, "hybrid"):
        for _ in range(5):
            for answer in [begin(environment, number, do="exit") for number in range(SLOTS)]:
                check_death(answer.result(PATIENCE), "exited with code 3")
        overlap(environment, "after")


@in_several_processes
def test_all_workers_killed_while_idle_lose_nothing(environment, tmp_path, mode):
    """The polls that are out wait for the successors, and so do the events that come meanwhile."""
    with run(environment, tmp_path, mode) as program:
        overlap(environment, "before")
        before = program.workers()
        for pid in before:
            kill(pid)
        overlap(environment, "after")
        assert not before & program.workers()


def test_an_event_that_came_for_a_killed_worker_survives_its_successors_death_too(tmp_path):
    source = """
import os, time
from pathlib import Path

Path("importing").touch()
while Path("stop").exists():
    time.sleep(0.01)

def handler(event, context):
    return event
"""
    with (
        managed_environment(2) as environment,
        managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE="process") as program,
    ):
        eventually(lambda: polls(environment) == 2)
        for _ in range(2):  # the one that has waited longer is next: each handles one
            environment.invoke()
        eventually(lambda: polls(environment) == 2)
        (tmp_path / "stop").touch()
        for _ in range(2):
            (tmp_path / "importing").unlink()
            workers = program.workers()
            for pid in workers:
                kill(pid)
            eventually((tmp_path / "importing").exists)
            eventually(lambda gone=workers: len(program.workers() - gone) == 2)
        answers = [environment.begin(b"%d" % number) for number in range(2)]
        (tmp_path / "stop").unlink()
        assert [answer.result(PATIENCE).body for answer in answers] == [b"0", b"1"]


DIES_WITH_AN_EVENT = """
import os, signal
from pathlib import Path
from polylambda.runtime.keeper import SlotKeeper

note = SlotKeeper.received

def die(self, invocation):
    if Path("deaths").stat().st_size:
        os.truncate("deaths", Path("deaths").stat().st_size - 1)
        os.kill(os.getpid(), signal.SIGKILL)
    note(self, invocation)

SlotKeeper.received = die
"""


@contextlib.contextmanager
def dying_with_events(environment: Environment, folder: Path, mode: str, deaths: int) -> Iterator[ManagedProgram]:
    """Run workers of which so many die when they have received an event; every slot polls."""
    (folder / "deaths").write_text("x" * deaths)
    with managed(environment, folder, SOURCES[mode] + DIES_WITH_AN_EVENT, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
        eventually(lambda: polls(environment) == SLOTS)
        yield program


@pytest.mark.parametrize("size", [0, 2000])
@in_several_processes
def test_an_event_that_was_received_and_not_begun_is_the_successors(environment, tmp_path, mode, size):
    """A process that is being killed while it waits for an event still receives what comes."""
    with dying_with_events(environment, tmp_path, mode, 1) as program:
        check_result(begin(environment, 1, fill="x" * size).result(PATIENCE), 1)
        assert not (tmp_path / "deaths").read_text()
        assert "invocations answered for it: 0" in program.log
        overlap(environment, "after")


@in_several_processes
def test_an_event_of_which_only_a_part_can_be_passed_on_is_answered(environment, tmp_path, mode):
    with dying_with_events(environment, tmp_path, mode, 1):
        answer = begin(environment, 1, fill="x" * 200_000).result(PATIENCE)
        check_death(answer, "was killed by signal 9 (SIGKILL)")
        overlap(environment, "after")


@in_several_processes
def test_an_event_that_kills_whoever_receives_it_is_not_passed_on_for_ever(environment, tmp_path, mode):
    with dying_with_events(environment, tmp_path, mode, 2):
        answer = begin(environment, 1).result(PATIENCE)
        check_death(answer, "was killed by signal 9 (SIGKILL)")
        overlap(environment, "after")


DIES_BETWEEN_POLL_AND_ANSWER = """
import os, signal
from pathlib import Path
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.runtime.keeper import SlotKeeper

def dying(cls, name, after):
    step = getattr(cls, name)

    def die(self, *args):
        result = step(self, *args) if after else None
        if Path("now").exists():
            Path("now").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return result if after else step(self, *args)

    setattr(cls, name, die)
"""


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    ("step", "after", "answered"),
    [
        ("SlotKeeper, 'reaching'", False, False),
        ("SlotKeeper, 'reaching'", True, False),
        ("SlotKeeper, 'reached'", False, False),  # the poll is out, and nobody knows for sure
        ("SlotKeeper, 'reached'", True, False),
        ("BlockingConnection, 'poll_ahead'", True, False),
        ("SlotKeeper, 'polling'", False, True),  # the answer has gone out, and nobody knows
        ("SlotKeeper, 'polling'", True, True),
    ],
)
def test_workers_that_die_between_a_poll_and_the_answer_that_follows(tmp_path, step, after, answered, count):
    """On either connection: the invocation is answered once, and the slot is there again."""
    handler = """
def handler(event, context):
    time.sleep(0.002)
    if event.get("last"):
        Path("now").touch()
    return event["number"]
"""
    source = WORK + DIES_BETWEEN_POLL_AND_ANSWER + f"dying({step}, {after})\n" + handler
    with (
        managed_environment(2) as environment,
        managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE="process"),
    ):
        eventually(lambda: polls(environment) == 2)
        for number in range(2 * count):  # the one that has waited longer is next
            assert begin(environment, number).result(PATIENCE).json == number
            eventually(lambda: polls(environment) == 2)
        answer = begin(environment, 100, last=True).result(PATIENCE)
        if answered:
            assert answer.json == 100
        else:
            check_death(answer, "was killed by signal 9 (SIGKILL)")
        eventually(lambda: polls(environment) == 2)
        for number in range(6):
            assert begin(environment, number).result(PATIENCE).json == number
        eventually(lambda: polls(environment) == 2)


@in_several_processes
def test_memory_exhaustion_in_one_worker_costs_its_own_invocation_only(environment, tmp_path, mode):
    with run(environment, tmp_path, mode):
        others = [begin(environment, number, meeting="during", parties=SLOTS) for number in range(SLOTS - 1)]
        eater = begin(environment, SLOTS - 1, do="eat").result(PATIENCE)
        assert (eater.outcome, eater.error_type, eater.json["errorType"]) == (
            "error",
            "Function.MemoryError",
            "MemoryError",
        )
        begin(environment, SLOTS - 1, meeting="during", parties=SLOTS).result(PATIENCE)
        for number, other in enumerate(others):
            check_result(other.result(PATIENCE), number)
        overlap(environment, "after")


# Modules that cannot be imported


@in_several_processes
def test_a_module_that_raises_is_an_init_error(environment, tmp_path, mode):
    source = "raise ValueError('no database')"
    with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
        assert not environment.wait_until_ready()
        assert program.wait() == 1
        assert not program.tree()
    assert environment.api.init_error is not None
    error_type, payload = environment.api.init_error
    assert error_type == "Function.ValueError"
    assert (json.loads(payload)["errorType"], json.loads(payload)["errorMessage"]) == ("ValueError", "no database")
    assert program.log.count("ValueError: no database") == 1


@in_several_processes
def test_a_module_that_kills_its_process_is_tried_again_and_then_an_init_error(environment, tmp_path, mode):
    source = """
import os, signal
with open("imports", "a") as file:
    file.write("imported\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""
    with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
        assert not environment.wait_until_ready()
        assert program.wait() == 1
        assert not program.tree()
    assert (tmp_path / "imports").read_text().count("imported") == 5
    assert environment.api.init_error is not None
    error_type, payload = environment.api.init_error
    assert error_type == "Runtime.ExitError"
    assert "was killed by signal 9 (SIGKILL), 5 times in a row" in json.loads(payload)["errorMessage"]


def test_a_worker_that_cannot_be_replaced_for_a_while_costs_its_own_slot_only(environment, tmp_path):
    source = WORK + 'if Path("broken").exists(): raise ValueError("broken")\n' + DEF
    with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE="process") as program:
        overlap(environment, "before")
        (tmp_path / "broken").touch()
        kill(min(program.workers()))
        eventually(lambda: program.log.count("exited with code 1") >= 2)
        overlap(environment, "during", SLOTS - 1)
        (tmp_path / "broken").unlink()
        overlap(environment, "after")


# A Runtime API that breaks


def run_script(folder: Path, mode: str, script: Callable[[ScriptedServer], None], status: int = 0) -> str:
    """Run a program with two slots on a scripted Runtime API to its end; return its log."""
    with ScriptedServer(script) as server:
        variables = {"AWS_LAMBDA_RUNTIME_API": server.address, "AWS_LAMBDA_MAX_CONCURRENCY": "2"}
        mode_variables = {
            "AWS_LAMBDA_CONCURRENCY_MODE": mode,
            "POLYLAMBDA_REGISTER_EXTENSION": "0",
            "POLYLAMBDA_POLL_FIRST": "0",  # which connection would carry what would depend on the machine's load
        }
        with ManagedProgram(variables, folder, SOURCES[mode], **mode_variables) as program:
            server.stop_client = lambda: program.send(signal.SIGTERM)
            assert program.wait() == status
            assert not program.tree()
            server.close()
            return program.log


def give(peer: Peer, number: int) -> None:
    """Send an event."""
    peer.send_event(f"id-{number}", b'{"number": %d}' % number)


def take(peer: Peer, number: int) -> None:
    """Take its answer."""
    assert json.loads(peer.answer(f"id-{number}").body)[:2] == [number, f"id-{number}"]


@in_every_mode
def test_slots_come_back_from_every_fault_of_a_connection(tmp_path, mode):
    def script(server: ScriptedServer) -> None:
        one, other = server.accept(), server.accept()
        for peer in (one, other):
            peer.poll()

        one.reset()  # E40: while it polls
        one = server.accept()
        one.poll()

        give(one, 1)
        take(one, 1)
        one.reset()  # before the answer was confirmed: it is sent again
        one = server.accept()
        take(one, 1)
        one.reply(400, "InvalidRequestID")  # it had arrived
        one.poll()

        one.reply(500, "InternalServerError")  # to the poll
        one = server.accept()
        one.poll()

        event = scripted.event("id-2", b'{"number": 2}')
        one.send(event[:50])  # and there it stalls
        give(other, 3)  # which the other slot does not mind
        take(other, 3)
        other.reply(202)
        other.poll()
        one.send(event[50:])
        take(one, 2)
        one.poll()  # behind the answer, whose reply is late
        give(other, 4)
        take(other, 4)
        other.reply(500, "InternalServerError")  # to the answer
        other.poll()
        one.reply(202)

        give(one, 5)
        take(one, 5)
        one.reply(202)
        one.poll()
        server.stop_client()
        assert (one.rest(), other.rest()) == (b"", b"")

    log = run_script(tmp_path, mode, script)
    assert log.count("the answer to id-4 was refused") == 1
    assert "id-1" not in log


@in_every_mode
@pytest.mark.parametrize("how", ["gone", "refuses"])
def test_a_runtime_api_that_does_not_come_back_ends_the_environment(tmp_path, mode, how):
    """It ends with an error and with nothing left behind."""

    def script(server: ScriptedServer) -> None:
        one, other = server.accept(), server.accept()
        for peer in (one, other):
            peer.poll()
        if how == "gone":
            server.close()
            one.reset()
            other.reset()
            return
        one.reply(500, "InternalServerError")
        other.reply(500, "InternalServerError")
        with contextlib.suppress(OSError):  # the end of the program closes the server
            while True:
                peer = server.accept()
                with contextlib.suppress(EOFError, ConnectionError):
                    peer.request()
                    peer.reply(500, "InternalServerError")

    run_script(tmp_path, mode, script, status=1)


# Handlers that do not return


@pytest.mark.parametrize("mode", ["task", "hybrid"])
@pytest.mark.parametrize("what", ["hang", "hang on"])
def test_coroutines_past_their_deadline_are_cancelled_and_their_slots_poll_again(environment, tmp_path, mode, what):
    with run(environment, tmp_path, mode):
        for answer in [begin(environment, number, do=what, timeout=0.3) for number in range(SLOTS)]:
            assert answer.result(PATIENCE).outcome == "timeout"
        overlap(environment, "after")


def test_threads_past_their_deadline_are_reported_with_their_stack(environment, tmp_path):
    with run(environment, tmp_path, "thread") as program:
        first = begin(environment, 0, do="hang", timeout=0.3).result(PATIENCE)
        eventually(lambda: "stuck" in program.log)
        second = begin(environment, 0, do="hang", timeout=0.3).result(PATIENCE)
        assert [first.outcome, second.outcome] == ["timeout", "timeout"]
        eventually(lambda: program.log.count("stuck") == 2)
        overlap(environment, "after", SLOTS - 2)
        log = program.log
    for number, answer in enumerate((first, second), 1):
        what = f"invocation {answer.request_id} is past its deadline and keeps its slot ({number} of {SLOTS} slots are stuck)"
        assert log.count(what) == 1
    assert log.count("in stop_here") == 2


def test_processes_past_their_deadline_are_killed_and_replaced_if_that_is_set(environment, tmp_path):
    with run(environment, tmp_path, "process", POLYLAMBDA_KILL_AT_DEADLINE="1") as program:
        overlap(environment, "before")
        before = program.workers()
        for answer in [begin(environment, number, do="hang", timeout=0.3) for number in range(SLOTS)]:
            assert answer.result(PATIENCE).outcome == "timeout"
        overlap(environment, "after")
        assert not before & program.workers()


# The end


END = """
import contextlib
from polylambda import LambdaManagedRuntime

@contextlib.contextmanager
def lifespan():
    print("entered")
    yield
    print("left")

LambdaManagedRuntime(handler, lifespan=lifespan).run()
print("returned")
"""
WAIT_AT_GATE = {
    False: """
def do(what, context):
    Path(f"here-{context.aws_request_id}").touch()
    while not Path("gate").exists():
        time.sleep(0.005)
""",
    True: """
async def handler(event, context):
    Path(f"here-{context.aws_request_id}").touch()
    while not Path("gate").exists():
        await asyncio.sleep(0.005)
    return [event["number"], context.aws_request_id, None]
""",
}
PROCESSES = {"process": SLOTS, "hybrid": 2, "thread": 1, "task": 1}


def run_to_its_end(environment: Environment, folder: Path, mode: str, grace: float) -> ManagedProgram:
    source = SOURCES[mode] + WAIT_AT_GATE[mode in ("task", "hybrid")] + END
    return managed(
        environment,
        folder,
        source,
        "app.py",
        AWS_LAMBDA_CONCURRENCY_MODE=mode,
        POLYLAMBDA_SHUTDOWN_GRACE=str(grace),
    )


def begin_to_wait(environment: Environment, folder: Path, count: int) -> list[Future[Answer]]:
    """Begin invocations that wait for the gate."""
    answers = [begin(environment, number) for number in range(count)]
    eventually(lambda: len(list(folder.glob("here-*"))) == count)
    return answers


@in_every_mode
def test_sigterm_lets_what_is_under_way_be_answered_and_leaves_the_lifespans(environment, tmp_path, mode):
    """The platform sends it to the whole process group."""
    with run_to_its_end(environment, tmp_path, mode, grace=PATIENCE) as program:
        eventually(lambda: polls(environment) == SLOTS)
        answers = begin_to_wait(environment, tmp_path, SLOTS // 2)
        os.killpg(program.pid, signal.SIGTERM)
        eventually(lambda: polls(environment) == 0)  # the idle slots do not poll any more
        (tmp_path / "gate").touch()
        for number, answer in enumerate(answers):
            check_result(answer.result(PATIENCE), number)
        assert program.wait() == 0
        assert not program.tree()
    lines = program.out.splitlines()
    assert [lines.count(word) for word in ("entered", "left")] == [PROCESSES[mode]] * 2


@in_every_mode
@pytest.mark.parametrize("why", ["the grace is over", "a second SIGTERM"])
def test_what_does_not_finish_is_answered_with_an_error(environment, tmp_path, mode, why):
    second = why == "a second SIGTERM"
    with run_to_its_end(environment, tmp_path, mode, grace=PATIENCE if second else 0.1) as program:
        eventually(lambda: polls(environment) == SLOTS)
        answers = begin_to_wait(environment, tmp_path, SLOTS // 2)
        os.killpg(program.pid, signal.SIGTERM)
        if second:
            eventually(lambda: polls(environment) == 0)
            os.killpg(program.pid, signal.SIGTERM)
        program.wait()
        assert not program.tree()
        if mode == "thread":  # which cannot be cancelled: it is the platform that sees the end, and tells the callers
            environment._loop.call_soon_threadsafe(environment.api.runtime_exited, "it exited")
        errors = {answer.result(PATIENCE).error_type for answer in answers}
    cancelled = mode == "task" or (mode == "hybrid" and not second)
    assert errors == {"Function.CancelledError" if cancelled else "Runtime.ExitError"}


@in_several_processes
@pytest.mark.parametrize("busy", [False, True])
def test_workers_do_not_outlive_their_supervisor(environment, tmp_path, mode, busy):
    with run_to_its_end(environment, tmp_path, mode, grace=PATIENCE) as program:
        eventually(lambda: polls(environment) == SLOTS)
        answers = begin_to_wait(environment, tmp_path, SLOTS) if busy else []
        program.send(signal.SIGKILL)
        program.wait()
        eventually(lambda: not program.tree())
        environment._loop.call_soon_threadsafe(environment.api.runtime_exited, "it exited")  # as the platform sees
        assert all(answer.result(PATIENCE).outcome == "failure" for answer in answers)
