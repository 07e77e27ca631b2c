"""Layouts of a managed environment: how many slots, in which processes and threads, and what is refused."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.environment import PATIENCE, Environment, eventually
from tests.integration.managed import MEETING, managed, managed_environment, polls

pytestmark = pytest.mark.timeout(120)

SLOTS = 8

DEF = """
def handler(event, context):
    if event:
        meet(event)
    return [os.getpid(), threading.get_native_id(), context.slot, threading.active_count()]
"""
SAFE_DEF = "from polylambda import concurrency_safe\n@concurrency_safe" + DEF
ASYNC_DEF = DEF.replace("def handler", "async def handler").replace("meet(", "await meet_async(")
HANDLERS = {"def": MEETING + DEF, "safe def": MEETING + SAFE_DEF, "async def": MEETING + ASYNC_DEF}
PROGRAM = "\nfrom polylambda import LambdaManagedRuntime\nLambdaManagedRuntime(handler, {}).run()\n"

BARE = {"POLYLAMBDA_REGISTER_EXTENSION": "0", "AWS_LAMBDA_LOG_LEVEL": "INFO"}


@pytest.fixture
def environment() -> Iterator[Environment]:
    with managed_environment(SLOTS) as environment:
        yield environment


def overlap(environment: Environment, name: str = "all", slots: int = SLOTS) -> list[list[int]]:
    """Have so many invocations overlap; return the process, thread and slot of each, and the threads of its process."""
    events = [{"meeting": name, "number": number, "parties": slots} for number in range(slots)]
    answers = [environment.begin(json.dumps(event).encode()) for event in events]
    return [answer.result(PATIENCE).json for answer in answers]


def layouts(log: str) -> list[dict[str, Any]]:
    """Return the layouts that were logged."""
    return [
        json.loads(line[line.index("{") :]) for line in log.splitlines() if "runtime_worker_pool_initializing" in line
    ]


def init_error(environment: Environment) -> str:
    """Return the message of the init error."""
    assert not environment.wait_until_ready()
    assert environment.api.init_error is not None
    error = json.loads(environment.api.init_error[1])
    assert error["errorType"] == "ConfigurationError", error
    return error["errorMessage"]


# How many slots (E38)


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("value", [None, "1", "0", "-3", "abc"])
def test_without_a_number_of_slots_there_is_one_and_nothing_beside_it(tmp_path, kind, value):
    variables = {} if value is None else {"AWS_LAMBDA_MAX_CONCURRENCY": value}
    with (
        managed_environment(None) as environment,
        managed(environment, tmp_path, HANDLERS[kind] + PROGRAM.format(""), "app.py", **variables, **BARE) as program,
    ):
        for _ in range(3):
            process, thread, slot, threads = environment.invoke().json
            assert (process, thread, slot, threads) == (program.pid, program.pid, 0, 1)
        assert (environment.connections, polls(environment)) == (1, 1)
        assert program.tree() == {program.pid}
        warnings = program.log.count("AWS_LAMBDA_MAX_CONCURRENCY is ")
    assert warnings == (value in ("0", "-3", "abc"))
    assert layouts(program.log) == []


@pytest.mark.parametrize("poll_first", ["0", "1"])
@pytest.mark.parametrize(("mode", "kind"), [("task", "async def"), ("thread", "safe def"), ("process", "def")])
def test_never_more_polls_are_out_than_there_are_slots(environment, tmp_path, mode, kind, poll_first):
    most = 0
    take_poll = environment.broker.poll

    def poll(poll: Any) -> None:
        nonlocal most
        take_poll(poll)
        most = max(most, polls(environment))

    environment.broker.poll = poll
    variables = {"AWS_LAMBDA_CONCURRENCY_MODE": mode, "POLYLAMBDA_POLL_FIRST": poll_first, **BARE}
    with managed(environment, tmp_path, HANDLERS[kind], **variables):
        eventually(lambda: polls(environment) == SLOTS)
        answers = [environment.begin() for _ in range(500)]
        assert all(answer.result(PATIENCE).outcome == "success" for answer in answers)
        eventually(lambda: polls(environment) == SLOTS)
        assert SLOTS <= environment.connections <= (2 * SLOTS if poll_first == "1" else SLOTS)
    assert most == SLOTS


# Where they are


@pytest.mark.parametrize(
    ("mode", "kind", "vcpus", "processes"),
    [
        ("task", "async def", 3, [8]),
        ("thread", "safe def", 3, [8]),
        ("process", "def", 3, [1] * 8),
        ("process", "async def", 3, [1] * 8),
        ("hybrid", "async def", 3, [3, 3, 2]),
        ("hybrid", "safe def", 3, [3, 3, 2]),
        ("hybrid", "async def", 1, [8]),
        ("hybrid", "async def", 100, [1] * 8),
    ],
)
def test_a_mode_is_a_layout(environment, tmp_path, mode, kind, vcpus, processes):
    with managed(
        environment, tmp_path, HANDLERS[kind], vcpus=vcpus, AWS_LAMBDA_CONCURRENCY_MODE=mode, **BARE
    ) as program:
        places = overlap(environment)
        assert len(program.tree()) == len(processes) + (len(processes) > 1)
    assert sorted(Counter(process for process, *_ in places).values(), reverse=True) == processes
    assert sorted(slot for *_, slot, _ in places) == list(range(SLOTS))
    threads = {(process, thread) for process, thread, *_ in places}
    assert len(threads) == (len(processes) if kind == "async def" else SLOTS)
    if kind == "async def":
        assert {threads for *_, threads in places} == {1}
    assert layouts(program.log) == [
        {
            "event": "runtime_worker_pool_initializing",
            "workerCount": len(processes),
            "executionEnvironmentMaxConcurrency": SLOTS,
            "concurrencyMode": mode,
            "slots": processes,
        }
    ]


@pytest.mark.parametrize("how", ["by name", "as a program"])
@pytest.mark.parametrize(
    ("kind", "vcpus", "mode"),
    [
        ("async def", 1, "task"),
        ("async def", 2, "hybrid"),
        ("def", 1, "process"),
        ("def", 2, "process"),
        ("safe def", 1, "thread"),
        ("safe def", 2, "hybrid"),
    ],
)
def test_without_a_choice_the_mode_is_the_safest_that_uses_the_machine(environment, tmp_path, kind, vcpus, mode, how):
    source, arguments = HANDLERS[kind], ()
    if how == "as a program":
        source, arguments = source + PROGRAM.format(""), ("app.py",)
    with managed(environment, tmp_path, source, *arguments, vcpus=vcpus, **BARE) as program:
        overlap(environment)
    assert [layout["concurrencyMode"] for layout in layouts(program.log)] == [mode]


@pytest.mark.parametrize(("environments", "mode"), [({}, "process"), ({"AWS_LAMBDA_CONCURRENCY_MODE": "Task"}, "task")])
def test_the_mode_may_be_chosen_in_code_and_the_environment_goes_before_it(environment, tmp_path, environments, mode):
    source = HANDLERS["async def"] + PROGRAM.format("concurrency='process'")
    with managed(environment, tmp_path, source, "app.py", **environments, **BARE) as program:
        overlap(environment)
    assert [layout["concurrencyMode"] for layout in layouts(program.log)] == [mode]


# What is refused


OBJECT = """
class Handler:
    def __init__(self):
        self.seen = []
    async def handle(self, event, context):
        return event
handler = Handler()
"""


@pytest.mark.parametrize(
    ("source", "mode", "says"),
    [
        (HANDLERS["def"], "thread", [".handler ", "@concurrency_safe", "process"]),
        (HANDLERS["def"], "hybrid", [".handler ", "@concurrency_safe", "process"]),
        (HANDLERS["def"], "task", [".handler ", "no async def", "process", "@concurrency_safe"]),
        (HANDLERS["async def"], "thread", [".handler ", "task", "hybrid"]),
        (HANDLERS["async def"], "fast", ["'fast'", "task, thread, process, hybrid"]),
        (OBJECT, "task", ["Handler", "'seen' (list)", "@concurrency_safe", "AWS_LAMBDA_CONCURRENCY_MODE=process"]),
        (OBJECT, "hybrid", ["Handler", "'seen' (list)", "@concurrency_safe", "AWS_LAMBDA_CONCURRENCY_MODE=process"]),
    ],
)
@pytest.mark.parametrize("how", ["by name", "as a program"])
def test_what_does_not_go_together_is_an_init_error_that_names_the_way_out(
    environment, tmp_path, source, mode, says, how
):
    arguments = ()
    if how == "as a program":
        source, arguments = source + PROGRAM.format(""), ("app.py",)
    with managed(environment, tmp_path, source, *arguments, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
        message = init_error(environment)
        assert program.wait() == 1
        assert not program.tree()
    for text in says:
        assert text in message


def test_state_is_no_matter_with_a_process_for_each_slot_or_when_declared(environment, tmp_path):
    with managed(environment, tmp_path, OBJECT, AWS_LAMBDA_CONCURRENCY_MODE="process"):
        assert environment.invoke(b"1").json == 1


def test_state_may_be_declared_to_be_safe(environment, tmp_path):
    source = "from polylambda import concurrency_safe\n@concurrency_safe" + OBJECT
    with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE="task"):
        assert environment.invoke(b"1").json == 1


# How the program was started


def test_a_package_runs_as_it_would_have(environment, tmp_path):
    (tmp_path / "package").mkdir()
    source = "import sys\nfrom package.words import WORD\ndef handler(event, context):\n    return [WORD, sys.argv[1:], __name__, __package__]\n"
    (tmp_path / "package" / "__main__.py").write_text(source + PROGRAM.format(""))
    (tmp_path / "package" / "words.py").write_text("WORD = 'word'")
    with managed(environment, tmp_path, "", "-X", "dev", "-m", "package", "an argument", **BARE) as program:
        assert environment.invoke().json == ["word", ["an argument"], "__main__", "package"]
        eventually(lambda: len(program.tree()) == SLOTS + 1)


def test_a_script_runs_as_it_would_have(environment, tmp_path):
    source = "import os, sys\ndef handler(event, context):\n    return [sys.argv, __name__, sys.path[0], __file__]\n"
    with managed(environment, tmp_path, source + PROGRAM.format(""), "app.py", "one", "-m", **BARE) as program:
        argv, name, path, file = environment.invoke().json
        eventually(lambda: len(program.tree()) == SLOTS + 1)
    assert (argv[1:], name, path) == (["one", "-m"], "__main__", str(tmp_path))
    assert {Path(tmp_path, argv[0]), Path(tmp_path, file)} == {tmp_path / "app.py"}


def test_a_program_without_a_file_cannot_run_in_several_processes(environment, tmp_path):
    source = "def handler(event, context): return event" + PROGRAM.format("")
    with managed(environment, tmp_path, "", "-c", source) as program:
        message = init_error(environment)
        assert program.wait() == 1
    assert "must be a file or a module" in message


@pytest.mark.parametrize("how", ["by name", "as a program"])
@pytest.mark.parametrize("mode", ["process", "hybrid"])
@pytest.mark.parametrize("preload", [True, False])
def test_a_module_is_imported_by_each_worker_or_once_when_it_is_preloaded(environment, tmp_path, how, mode, preload):
    source = 'with open("imports", "a") as file: file.write(".")\n' + HANDLERS["safe def"]
    arguments = ()
    if how == "as a program":
        source, arguments = source + PROGRAM.format(""), ("app.py",)
    variables = {"POLYLAMBDA_PRELOAD": "1"} if preload else {}
    with managed(environment, tmp_path, source, *arguments, AWS_LAMBDA_CONCURRENCY_MODE=mode, **variables):
        overlap(environment)
    imports = 1 if preload else {"process": SLOTS, "hybrid": 2}[mode] + (how == "as a program")  # which has to be begun
    assert len((tmp_path / "imports").read_text()) == imports


# Work after the answer

BACKGROUND = """
import asyncio
from pathlib import Path
from polylambda import ResponseWriter

async def handler(event, response: ResponseWriter[str], context):
    await response.write("answered")
    while not Path("gate").exists():
        await asyncio.sleep(0.005)
    print("done", flush=True)
"""


@pytest.mark.parametrize(("maximum", "at_once"), [("0", 2), ("1", 3), ("3", 5), (None, 4)])
def test_work_after_the_answer_gives_the_slot_back_up_to_a_bound(tmp_path, maximum, at_once):
    """With two slots, the bound and two more can be at work."""
    variables = {} if maximum is None else {"POLYLAMBDA_MAX_BACKGROUND": maximum}
    with (
        managed_environment(2) as environment,
        managed(
            environment,
            tmp_path,
            BACKGROUND,
            AWS_LAMBDA_CONCURRENCY_MODE="task",
            POLYLAMBDA_SHUTDOWN_GRACE=str(PATIENCE),
            **variables,
        ) as program,
    ):
        answers: list[Future[Any]] = []
        for _ in range(at_once):
            answers.append(environment.begin())
            assert answers[-1].result(PATIENCE).json == "answered"
        eventually(lambda: polls(environment) == 0)
        waiting = environment.begin()
        (tmp_path / "gate").touch()
        assert waiting.result(PATIENCE).json == "answered"
        eventually(lambda: polls(environment) == 2)
        program.send(15)
        assert program.wait() == 0
    assert program.out.count("done") == at_once + 1


def test_sigterm_waits_for_the_work_after_the_answer(tmp_path):
    with (
        managed_environment(2) as environment,
        managed(
            environment,
            tmp_path,
            BACKGROUND,
            AWS_LAMBDA_CONCURRENCY_MODE="hybrid",
            POLYLAMBDA_SHUTDOWN_GRACE=str(PATIENCE),
        ) as program,
    ):
        eventually(lambda: polls(environment) == 2)
        for _ in range(2):
            assert environment.invoke().json == "answered"
        eventually(lambda: polls(environment) == 2)
        program.send(15)
        eventually(lambda: polls(environment) == 0)
        (tmp_path / "gate").touch()
        assert program.wait() == 0
    assert program.out.count("done") == 2


# Logs of workers


@contextlib.contextmanager
def telemetry(folder: Path) -> Iterator[tuple[str, list[bytearray]]]:
    """Listen as the platform does; yield the path, and what comes, connection by connection."""
    path = str(folder / "telemetry")
    received: list[bytearray] = []
    readers: list[threading.Thread] = []

    def read(connection: socket.socket, data: bytearray) -> None:
        with connection:
            while piece := connection.recv(65536):
                data += piece

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                received.append(bytearray())
                readers.append(threading.Thread(target=read, args=(connection, received[-1])))
                readers[-1].start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield path, received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for reader in readers:
                reader.join()


@pytest.mark.parametrize(
    ("mode", "kind", "workers"), [("process", "def", 8), ("hybrid", "async def", 2), ("task", "async def", 1)]
)
def test_each_worker_has_streams_of_its_own_on_the_telemetry_socket(environment, tmp_path, mode, kind, workers):
    source = HANDLERS[kind].replace("    return", '    print("pid", os.getpid())\n    return')
    with telemetry(tmp_path) as (path, received):
        variables = {"AWS_LAMBDA_CONCURRENCY_MODE": mode, "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET": path}
        with managed(environment, tmp_path, source, **variables) as program:
            processes = {process for process, *_ in overlap(environment)}
    streams = [{line.split()[-1] for line in data.decode().splitlines() if "pid" in line} for data in received]
    streams = [stream for stream in streams if stream]
    assert sorted(map(sorted, streams)) == sorted([str(process)] for process in processes)
    assert len(processes) == workers
    assert len(received) == 2 * workers  # stdout and stderr
    assert "pid" not in program.log
