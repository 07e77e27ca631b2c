"""The end of a runtime: SIGTERM at every point of its life, `stop`, exits of handlers, one runtime at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polylambda import AlreadyRunning, ConfigurationError, LambdaRuntime, ResponseStream
from polylambda.settings import Settings
from tests.environment import PATIENCE, Environment, Program

TERM = signal.SIGTERM

PROGRAM = """
import asyncio, contextlib, signal, sys
from polylambda import LambdaRuntime, ResponseStream

def tell(*what):
    print(*what, flush=True)

def gate():
    sys.stdin.readline()

async def async_gate():
    await asyncio.get_running_loop().run_in_executor(None, gate)

@contextlib.contextmanager
def lifespan():
    tell("entered")
    yield "state"
    tell("left")

{}

LambdaRuntime(handler, lifespan=lifespan).run()
tell("returned")
"""

DEF = """
def handler(event, response: ResponseStream, context):
    {answer}
    tell("at work")
    gate()
    {after}
    tell("done")
"""

ASYNC_DEF = """
async def handler(event, response: ResponseStream, context):
    {answer}
    tell("at work")
    await async_gate()
    {after}
    tell("done")
"""

both = pytest.mark.parametrize("kind", ["def", "async def", "async def on uvloop"])


def handler(kind: str, *, answer: str = "", after: str = "") -> str:
    if kind == "def":
        return DEF.format(answer=answer, after=after)
    wait = "await "
    return ASYNC_DEF.format(answer=answer and wait + answer, after=after and wait + after)


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment


@contextlib.contextmanager
def run(environment: Environment, folder: Path, kind: str, source: str) -> Iterator[Program]:
    loop = {"POLYLAMBDA_LOOP": "uvloop" if "uvloop" in kind else "asyncio"}
    with environment.program(folder, PROGRAM.format(source), "app.py", **loop) as program:
        yield program


# What SIGTERM does, E34


@both
def test_sigterm_while_idle_ends_it(environment, tmp_path, kind):
    with run(environment, tmp_path, kind, handler(kind)) as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 0
    assert program.lines == ["entered", "left", "returned"]


@both
def test_sigterm_while_a_handler_runs_lets_it_answer(environment, tmp_path, kind):
    with run(environment, tmp_path, kind, handler(kind, after="response.finish(b'answer')")) as program:
        answer = environment.begin()
        program.expect("at work")
        program.send(TERM)
        program.open_gate()
        assert answer.result(PATIENCE).body == b"answer"
        assert program.wait() == 0
    assert program.lines == ["entered", "at work", "done", "left", "returned"]


@both
def test_sigterm_in_the_middle_of_a_stream_lets_it_end(environment, tmp_path, kind):
    source = handler(kind, answer="response.write(b'begun, ')", after="response.finish(b'ended')")
    with run(environment, tmp_path, kind, source) as program:
        with environment.stream() as stream:
            assert next(stream) == b"begun, "
            program.expect("at work")
            program.send(TERM)
            program.open_gate()
            assert b"".join(stream) == b"ended"
            assert stream.response.outcome.value == "success"
        assert program.wait() == 0
    assert program.lines == ["entered", "at work", "done", "left", "returned"]


@both
def test_sigterm_during_work_after_the_answer_lets_it_end(environment, tmp_path, kind):
    with run(environment, tmp_path, kind, handler(kind, answer="response.finish(b'answer')")) as program:
        assert environment.invoke().body == b"answer"
        program.expect("at work")
        program.send(TERM)
        program.open_gate()
        assert program.wait() == 0
    assert program.lines == ["entered", "at work", "done", "left", "returned"]


SLOW_START = """
@contextlib.{manager}
{kind} lifespan():
    tell("entering")
    {wait}
    yield
    tell("left")

{kind} handler(event, context): ...
"""


@both
def test_sigterm_while_the_lifespan_is_entered_leaves_it_again(environment, tmp_path, kind):
    source = SLOW_START.format(
        manager="contextmanager" if kind == "def" else "asynccontextmanager",
        kind="def" if kind == "def" else "async def",
        wait="gate()" if kind == "def" else "await async_gate()",
    )
    with run(environment, tmp_path, kind, source) as program:
        program.expect("entering")
        program.send(TERM)
        program.open_gate()
        assert program.wait() == 0
        assert environment.api.phase.value == "init"  # it never polled
        assert environment.extensions == {}
    assert program.lines == ["entering", "left", "returned"]


@both
def test_a_second_sigterm_does_not_wait(environment, tmp_path, kind):
    # The handler tells when the first has been handled, for two that come at once are one.
    source = """
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(True))

{} handler(event, context):
    tell("at work")
    while not received:
        {}(0.001)
    tell("received")
    {}
"""
    if kind == "def":
        source = source.format("def", "__import__('time').sleep", "gate()")
    else:
        source = source.format("async def", "await asyncio.sleep", "await asyncio.Event().wait()")
    with run(environment, tmp_path, kind, source) as program:
        answer = environment.begin()
        program.expect("at work")
        program.send(TERM)
        program.expect("received")
        program.send(TERM)
        assert answer.result(PATIENCE).json["errorType"] == ("SystemExit" if kind == "def" else "CancelledError")
        assert program.wait() == 128 + TERM
    assert program.lines[:3] == ["entered", "at work", "received"]
    assert program.lines[-1] == "left"


@both
def test_a_handler_for_sigterm_of_the_functions_own_is_called_and_the_rest_happens_too(environment, tmp_path, kind):
    source = handler(kind) + "signal.signal(signal.SIGTERM, lambda *_: tell('theirs'))\n"
    with run(environment, tmp_path, kind, source) as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 0
    assert program.lines == ["entered", "theirs", "left", "returned"]


@both
def test_a_handler_for_sigterm_that_the_lifespan_put_in_place_of_ours_is_called_too(environment, tmp_path, kind):
    source = (
        handler(kind)
        + """
@contextlib.contextmanager
def lifespan():
    signal.signal(signal.SIGTERM, lambda *_: tell("theirs"))
    yield
    tell("left")
"""
    )
    with run(environment, tmp_path, kind, source) as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 0
    assert program.lines == ["theirs", "left", "returned"]


@both
def test_a_handler_for_sigterm_that_exits_leaves_the_lifespan(environment, tmp_path, kind):
    source = handler(kind) + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    with run(environment, tmp_path, kind, source) as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 7
    assert program.lines == ["entered", "left"], "\n".join(program.lines)


@both
def test_control_c_cancels_what_runs_and_leaves_the_lifespan(environment, tmp_path, kind):
    forever = "asyncio.Event().wait()"
    name, wait = ("def", f"asyncio.run({forever})") if kind == "def" else ("async def", f"await {forever}")
    source = f"""
{name} handler(event, context):
    try:
        tell("at work")
        {wait}
    finally:
        tell("cancelled")
"""
    with run(environment, tmp_path, kind, source) as program:
        environment.begin()
        program.expect("at work")
        program.send(signal.SIGINT)
        assert program.wait() == -signal.SIGINT
    assert [line for line in program.lines if not line.startswith("[ERROR]")] == [
        "entered",
        "at work",
        "cancelled",
        "left",
    ]


def test_python_m_ends_with_0(environment, tmp_path):
    with environment.program(tmp_path, "def handler(event, context): ...") as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 0
    assert (program.lines, program.stderr) == ([], "")


@both
def test_a_lifespan_that_fails_at_the_end_is_logged_and_ends_with_1(environment, tmp_path, kind):
    source = handler(kind) + "@contextlib.contextmanager\ndef lifespan():\n    yield\n    raise KeyError('table')\n"
    with run(environment, tmp_path, kind, source) as program:
        environment.wait_until_ready()
        program.send(TERM)
        assert program.wait() == 1
    assert program.lines[0].startswith("[ERROR] KeyError: 'table'")
    assert len(program.lines) == 1
    assert program.stderr == ""


@both
def test_tasks_that_were_left_behind_are_cancelled(environment, tmp_path, kind):
    source = """
async def forever():
    try:
        await asyncio.Event().wait()
    finally:
        tell("cancelled")

async def start():
    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    globals()["kept"] = task
    return "started"

{} handler(event, context):
    return {}
"""
    source = source.format("def", "start()") if kind == "def" else source.format("async def", "await start()")
    with run(environment, tmp_path, kind, source) as program:
        assert environment.invoke().json == "started"
        program.send(TERM)
        assert program.wait() == 0
    assert program.lines == ["entered", "left", "cancelled", "returned"]


# Handlers that end the process


@both
@pytest.mark.parametrize(
    ("failure", "name", "status"),
    [("SystemExit(5)", "SystemExit", 5), ("KeyboardInterrupt()", "KeyboardInterrupt", -2)],
)
def test_a_handler_that_exits_is_answered_for_and_has_its_way(environment, tmp_path, kind, failure, name, status):
    source = f"{'def' if kind == 'def' else 'async def'} handler(event, context):\n    raise {failure}\n"
    with run(environment, tmp_path, kind, source) as program:
        answer = environment.invoke()
        assert (answer.outcome, answer.json["errorType"]) == ("error", name)
        assert program.wait() == status
    assert program.lines[0] == "entered"
    assert program.lines[1].startswith(f"[ERROR] {name}")
    assert program.lines[-1] == "left"


def test_whatever_else_is_raised_does_not_end_it(environment):
    class Strange(BaseException):
        pass

    def handler(event, context):
        raise {"strange": Strange, "cancelled": asyncio.CancelledError}[event]

    with environment.running(handler):
        for event in ("strange", "cancelled", "strange"):
            answer = environment.invoke(json.dumps(event).encode())
            assert answer.json["errorType"] in ("Strange", "CancelledError")


def test_a_coroutine_that_is_cancelled_is_answered_for(environment):
    async def handler(event, context):
        raise asyncio.CancelledError

    with environment.running(handler):
        for _ in range(2):
            assert environment.invoke().json["errorType"] == "CancelledError"


@both
def test_when_the_platform_goes_away_the_lifespan_is_left_and_one_line_says_why(tmp_path, kind):
    with Environment() as environment:
        program = run(environment, tmp_path, kind, handler(kind))
        entered = program.__enter__()
        environment.wait_until_ready()
    try:
        assert entered.wait() == 1
    finally:
        program.__exit__(None, None, None)
    assert entered.lines[:2] == ["entered", "left"]
    (line,) = entered.lines[2:]
    assert line.startswith("[CRITICAL]\t")
    assert "Runtime API" in line
    assert entered.stderr == ""


# One runtime at a time (E33, E35)


@contextlib.contextmanager
def thread(runtime: LambdaRuntime, environment: Environment) -> Iterator[threading.Thread]:
    running = threading.Thread(target=runtime.run)
    running.start()
    environment.wait_until_ready()
    try:
        yield running
    finally:
        runtime.stop()
        running.join(PATIENCE)
        assert not running.is_alive()


def runtime_for(environment: Environment, handler: Any, **options: Any) -> LambdaRuntime:
    return LambdaRuntime(handler, settings=Settings(environment.variables), **options)


async def async_handler(event, context):
    return event


def blocking_handler(event, context):
    return event


handlers = pytest.mark.parametrize("handler", [blocking_handler, async_handler])


@handlers
def test_stop_ends_it(environment, handler):
    """E33."""
    runtime = runtime_for(environment, handler)
    with thread(runtime, environment) as running:
        assert environment.invoke(b"1").body == b"1"
        runtime.stop()
        running.join(PATIENCE)
        assert not running.is_alive()


@handlers
def test_stop_ends_it_although_nothing_accepts_its_connection(handler):
    """E33: the connect is pending."""
    import socket

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        port = server.getsockname()[1]
        waiting = threading.Event()

        class Waits:
            def __enter__(self):
                waiting.set()

            def __exit__(self, *outcome):
                pass

        settings = Settings({"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "POLYLAMBDA_REGISTER_EXTENSION": "0"})
        runtime = LambdaRuntime(handler, lifespan=Waits, settings=settings)
        for _ in range(4):  # so that the next one hangs
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        running = threading.Thread(target=runtime.run)
        running.start()
        assert waiting.wait(PATIENCE)
        runtime.stop()
        running.join(PATIENCE)
        assert not running.is_alive()


def test_stop_before_and_after_a_run_does_nothing(environment):
    runtime = runtime_for(environment, blocking_handler)
    runtime.stop()
    with thread(runtime, environment):
        assert environment.invoke(b"1").body == b"1"
    runtime.stop()


@handlers
def test_a_second_runtime_is_refused_while_the_first_one_runs(environment, handler):
    """E35."""
    first, second = (runtime_for(environment, handler) for _ in range(2))
    with thread(first, environment):
        for another in (second, first):
            with pytest.raises(AlreadyRunning, match="another runtime is running in this process"):
                another.run()
        assert environment.invoke(b"1").body == b"1"
    with thread(second, environment):
        assert environment.invoke(b"2").body == b"2"


@handlers
def test_a_runtime_may_run_again(environment, handler):
    """E35."""
    runtime = runtime_for(environment, handler)
    for number in (b"1", b"2"):
        with thread(runtime, environment):
            assert environment.invoke(number).body == number


def test_a_runtime_may_start_after_one_that_failed(environment):
    """E35."""
    for broken in (42, lambda event, context, table: None):
        with pytest.raises(SystemExit) as caught:
            runtime_for(environment, broken).run()
        assert caught.value.code == 1
    with pytest.raises(SystemExit):
        LambdaRuntime(blocking_handler, settings=Settings({"AWS_LAMBDA_RUNTIME_API": "nonsense"})).run()
    environment.api.runtime_started()
    with thread(runtime_for(environment, blocking_handler), environment):
        assert environment.invoke(b"1").body == b"1"


@handlers
def test_a_runtime_in_an_event_loop_is_refused(environment, handler):
    async def main() -> None:
        runtime_for(environment, handler).run()

    with pytest.raises(ConfigurationError, match=r"run\(\) was called by an event loop: call it from the main program"):
        asyncio.run(main())


# Whose thread, whose loop


def test_a_def_handler_runs_on_the_main_thread_with_no_event_loop_around_it(environment, tmp_path):
    source = """
import asyncio, signal, threading

received = []

def handler(event, context):
    assert threading.current_thread() is threading.main_thread()
    signal.signal(signal.SIGUSR1, lambda *_: received.append("signal"))
    signal.raise_signal(signal.SIGUSR1)
    return [received, asyncio.run(asyncio.sleep(0, "slept"))]
"""
    with environment.program(tmp_path, source):
        assert environment.invoke().json == [["signal"], "slept"]


def test_an_async_def_handler_runs_on_the_main_thread(environment, tmp_path):
    source = """
import signal, threading

received = []

async def handler(event, context):
    assert threading.current_thread() is threading.main_thread()
    signal.signal(signal.SIGUSR1, lambda *_: received.append("signal"))
    signal.raise_signal(signal.SIGUSR1)
    return received
"""
    with environment.program(tmp_path, source):
        assert environment.invoke().json == ["signal"]


def test_async_def_handlers_share_one_loop(environment):
    seen: set[int] = set()

    async def handler(event, context):
        seen.add(id(asyncio.get_running_loop()))

    with environment.running(handler):
        for _ in range(3):
            environment.invoke()
    assert len(seen) == 1


def test_a_stream_that_is_never_read_does_not_keep_a_runtime_from_ending(environment):
    async def handler(event, response: ResponseStream, context):
        await response.write(b"x")

    with environment.running(handler), environment.stream() as stream:
        assert next(stream) == b"x"
