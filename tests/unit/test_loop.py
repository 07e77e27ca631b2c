"""The one event loop of a process."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Iterator

import pytest

from polylambda import ConfigurationError, loop

VARIABLE = contextvars.ContextVar("variable", default="unset")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    loop.close()
    loop.choose("auto")


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_it_is_the_same_until_it_is_closed():
    first = loop.run_until_complete(running())
    assert loop.run_until_complete(running()) is first
    loop.close()
    assert first.is_closed()
    assert loop.run_until_complete(running()) is not first


def test_what_runs_on_it_sees_the_context_it_was_called_in():
    async def read() -> str:
        return VARIABLE.get()

    def seen(value: str) -> str:
        VARIABLE.set(value)
        return loop.run_until_complete(read())

    assert contextvars.copy_context().run(seen, "one") == "one"
    assert contextvars.copy_context().run(seen, "two") == "two"


def test_what_is_left_on_it_is_cancelled_when_it_is_closed():
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def start() -> asyncio.Task[None]:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(start())
    loop.close()
    assert (ended, task.cancelled()) == (["cancelled"], True)


def test_it_is_asyncios_when_that_is_chosen():
    loop.choose("asyncio")
    assert type(loop.run_until_complete(running())).__module__.startswith("asyncio.")


def test_it_is_uvloops_when_that_is_installed():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    assert isinstance(loop.run_until_complete(running()), uvloop.Loop)


def test_another_choice_is_refused():
    with pytest.raises(ConfigurationError, match="POLYLAMBDA_LOOP is 'trio': it must be asyncio, uvloop or auto"):
        loop.choose("trio")


def test_without_uvloop_it_is_asyncios_unless_uvloop_was_chosen(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert type(loop.run_until_complete(running())).__module__.startswith("asyncio.")
    loop.close()
    loop.choose("uvloop")
    with pytest.raises(ConfigurationError, match="uvloop, which is not installed: pip install uvloop"):
        loop.prepare()


def test_it_knows_whether_a_loop_is_running():
    async def ask() -> bool:
        return loop.is_running()

    assert not loop.is_running()
    assert asyncio.run(ask())


def test_nothing_imports_asyncio_before_the_loop_is_used():
    program = """
import sys
from polylambda import loop
loop.choose("auto")
assert not loop.is_running()
loop.close()
assert "asyncio" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
