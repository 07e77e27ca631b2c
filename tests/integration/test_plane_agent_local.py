"""Instances as processes of this machine: launched, and not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from polylambda.plane import processes
from polylambda.plane.providers import LaunchFailed, local
from polylambda.plane.providers.local import LocalProvider
from polylambda.plane.specs import InstanceSpec
from tests.integration.plane_agent import machine, run

SPEC = InstanceSpec(id="i-1", capacity_provider="p", instance_type="c7i.xlarge", zone="a", vcpus=4, memory=8192)


def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> LocalProvider:
    """A provider whose agents are `program`, a line of Python."""
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\nimport sys, time\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(local.sys, "executable", str(fake))
    return LocalProvider(token="t", folder=tmp_path / "instances")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sys.exit('no agent today')", "no agent today"),
        ("pass", "it said: nothing"),
        ("print('{}', flush=True); time.sleep(60)", "did not start"),
        ("time.sleep(60)", "did not listen within"),
        ('print(\'{"host": "127.0.0.1", "port": 1, "pid": 1, "cpu": ""}\', flush=True); time.sleep(60)', "reached"),
    ],
)
def test_an_agent_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    monkeypatch.setattr(local, "LAUNCH_TIMEOUT", 2.0)
    monkeypatch.setattr(local, "END_TIMEOUT", 0.1)
    provider = failing(tmp_path, monkeypatch, program)

    async def test() -> None:
        with pytest.raises(LaunchFailed, match=message):
            await provider.launch(SPEC, on_event=lambda _: None, on_lost=lambda _: None)

    run(test)
    assert processes.find(processes.marks("t", instance="i-1")) == []
    assert not (tmp_path / "instances" / "i-1").exists()


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.sys, "executable", str(tmp_path / "missing"))
    provider = LocalProvider(token="t", folder=tmp_path / "instances")

    async def test() -> None:
        with pytest.raises(LaunchFailed, match="cannot run"):
            await provider.launch(SPEC, on_event=lambda _: None, on_lost=lambda _: None)

    run(test)


def test_sockets_have_short_paths_wherever_temporary_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = tmp_path / ("far" * 40)
    far.mkdir()
    monkeypatch.setenv("TMPDIR", str(far))

    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            name = await it.result(environment, "os.environ['_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET']")
            socket = Path(name)
            assert len(name) < 100
            assert socket.is_socket()  # noqa: ASYNC240
            await it.instance.terminate()
            assert not socket.parent.exists()
            assert list(far.iterdir()) == []

    run(test)


def test_what_breaks_in_the_middle_of_an_end_does_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise RuntimeError("no end")

    async def test() -> None:
        async with machine(tmp_path) as it:
            await it.start_raw()
            with monkeypatch.context() as patch:
                patch.setattr(it.client, "close", broken)
                with pytest.raises(RuntimeError, match="no end"):
                    await it.instance.terminate()
            assert processes.find(it.marks) == []
            it.instance._end = None  # `machine` ends it once more, to the end

    run(test)


def test_ending_drains_and_may_be_said_twice(tmp_path: Path) -> None:
    async def test() -> None:
        async with machine(tmp_path) as it:
            environment = await it.start_raw()
            busy = asyncio.create_task(it.invoke(environment, "time.sleep(0.2); result = 'drained'"))
            await it.record(environment, "platform.start")
            ends: list[Any] = [asyncio.create_task(it.instance.terminate(drain=20)) for _ in range(2)]
            assert await (await busy).read() == b'"drained"'
            await asyncio.gather(*ends)
            assert processes.find(it.marks) == []
            assert it.lost == []

    run(test)
