"""What happens when something dies: an environment, an agent, the plane. Callers hear of it, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from polylambda.plane import processes
from polylambda.plane.agent_client import AgentLost, Refused
from polylambda.plane.router import Cause
from polylambda.server.invocation import Outcome
from tests.integration.plane_agent import machine, run


class Strays:
    """Two children of a function that are hard to find: one has dropped all variables, the other has left the session."""

    def __init__(self) -> None:
        unique = time.time_ns()
        self.bare, self.gone = ["sleep", f"61.{unique}"], ["sleep", f"62.{unique}"]
        popen = f"subprocess.Popen({self.bare}, env={{}}); subprocess.Popen({self.gone}, start_new_session=True)"
        self.start = f"exec({popen!r})"

    def running(self) -> int:
        lines = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
        return lines.count(self.bare) + lines.count(self.gone)


def test_a_killed_environment_answers_what_it_held(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(polls=3, slots=3)
            held = [asyncio.create_task(it.invoke(environment, "time.sleep(60)")) for _ in range(2)]
            strays = Strays()
            await it.result(environment, strays.start)
            await it.until(lambda: [r["type"] for r in it.records(environment)].count("platform.start") == 3)
            assert strays.running() == 2
            os.kill((await it.state(environment, "Ready")).pid, signal.SIGKILL)
            for task in held:
                response = await task
                assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
                assert b"signal: killed" in await response.read()
            dead = await it.state(environment, "Dead")
            assert dead.error_type == "Runtime.ExitError"
            assert strays.running() == 0
            with pytest.raises(Refused):
                await it.invoke(environment, "")

    run(test)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_killed_agent_takes_everything_along(tmp_path: Path, loop: Any) -> None:
    streaming = """
import os, time
def handler(event, context):
    yield b"the beginning"
    time.sleep(60)
"""

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            ended: list[Outcome] = []
            held = asyncio.create_task(
                it.invoke(environment, "time.sleep(60)", on_end=lambda response: ended.append(response.outcome))
            )
            strays = Strays()
            await it.result(environment, strays.start)
            other = await it.start({"app.py": streaming})
            stream = await it.invoke(other, "", on_end=lambda response: ended.append(response.outcome))
            assert await anext(aiter(stream)) == b"the beginning"
            os.kill(it.instance.pid, signal.SIGKILL)
            with pytest.raises(AgentLost) as lost:
                await held
            assert lost.value.delivered
            await stream.read()
            assert (stream.outcome, stream.error_type) == (Outcome.FAILURE, "Sandbox.Failure")
            assert ended == [Outcome.FAILURE]
            await it.until(lambda: it.lost)
            with pytest.raises(AgentLost) as lost:
                await it.invoke(environment, "")
            assert not lost.value.delivered
            await it.instance.terminate(drain=5.0)
            assert len(it.lost) == 1
            assert strays.running() == 0

    run(test, loop)


def test_an_agent_that_stands_still_is_lost(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            held = asyncio.create_task(it.invoke(environment, "time.sleep(60)"))
            await it.record(environment, "platform.start")
            os.kill(it.instance.pid, signal.SIGSTOP)
            with pytest.raises(AgentLost):
                await held
            assert "silent" in (await it.until(lambda: it.lost))[0]

    run(test)


PLANE = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.integration.plane_agent import machine

async def main():
    async with machine(Path({folder!r})) as it:
        await it.start_raw()
        print(it.token, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_plane_takes_its_instances_along(tmp_path: Path) -> None:
    code = PLANE.format(root=str(Path(__file__).parents[2]), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as plane:
        assert plane.stdout is not None
        marks = processes.marks(plane.stdout.readline().strip())
        left = processes.find(marks)
        assert len(left) == 3  # agent, guardian, environment
        plane.kill()
    assert psutil.wait_procs(left, timeout=20)[1] == []
    assert [path for path in (tmp_path / "instances").iterdir() if path.is_dir()] == []


def test_an_environment_with_too_much_memory_is_ended(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(memory=100)
            response = await it.invoke(environment, "result = bytes(b'x' * 150_000_000); time.sleep(60)")
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.OutOfMemory")
            dead = await it.state(environment, "Dead")
            assert dead.error_type == "Runtime.OutOfMemory"
            assert "100 MiB" in dead.reason

    run(test)


def test_an_environment_that_is_nearly_full_takes_no_more(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(memory=200)
            await it.result(environment, "globals().setdefault('kept', b'x' * 190_000_000) and 1")
            while (measures := await it.measures(environment)).hot is None:
                assert measures.memory < 200
            with pytest.raises(Refused) as refused:
                await it.invoke(environment, "")
            assert refused.value.cause is Cause.MEMORY is measures.hot

    run(test)


def test_an_environment_whose_cpu_is_used_up_takes_no_more(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path, cores_per_vcpu=0.05) as it:
            environment = await it.start_raw()
            busy = asyncio.create_task(it.invoke(environment, "while True: pass"))
            while (measures := await it.measures(environment)).hot is None:
                assert measures.cpu <= 1
            with pytest.raises(Refused) as refused:
                await it.invoke(environment, "")
            assert refused.value.cause is Cause.CPU is measures.hot
            await it.client.stop_environment(environment, drain=0)
            assert (await busy).error_type == "Sandbox.Failure"

    run(test)


def test_memory_that_is_shared_counts_once(tmp_path: Path) -> None:
    code = "kept = b'x' * 60_000_000\nfor _ in range(3):\n    if os.fork() == 0: time.sleep(60)\nresult = 1"

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw(memory=150)
            assert await (await it.invoke(environment, code)).read() == b"1"
            measures = await it.measures(environment)
            assert 50 < (await it.measures(environment)).memory < 120, measures

    run(test)


def test_leftovers_are_found_by_their_mark_and_ended() -> None:
    token = f"test-{time.time_ns()}"
    environ = {**os.environ, **processes.marks(token, instance="i-1", environment="e1")}
    child = "import subprocess, time; subprocess.Popen(['sleep', '60'], env={}); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", child], env=environ, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert processes.find(processes.marks("another")) == []
        assert processes.find(processes.marks(token, instance="i-2")) == []
        assert {process.pid for process in processes.find(processes.marks(token))} >= {parent.pid}
        assert processes.end(processes.marks(token)) == 2
        assert processes.find(processes.marks(token)) == []
    with pytest.raises(ValueError, match="mark"):
        processes.end({})
