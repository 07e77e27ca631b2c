"""`polylambda check --run`: what it says of handlers that are wrong, of those that are right, and of what it is given."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polylambda.check.dynamic.options import Ran, RunOptions
from polylambda.check.finding import Mode
from polylambda.errors import ConfigurationError
from tests.integration.check_runs import Checker, checking

pytestmark = pytest.mark.timeout(120)

LEAKING = """
import asyncio, types

state = types.SimpleNamespace()

async def handler(event, context):
    state.name = event["name"]
    await asyncio.sleep(5)
    return {"hello": state.name}
"""


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checking() as checker:
        yield checker


def check(checker: Checker, folder: Path, source: str, *events: bytes, **options: Any) -> Ran:
    (folder / "app.py").write_text(source)
    given = {"concurrency": 4, "invocations": 8, "seed": 1, "target": "app.handler", **options}
    return checker(RunOptions(events=events or (b'{"name": "Ada"}',), root=folder, **given))


def rules(ran: Ran) -> set[str]:
    return {finding.rule for finding in ran.findings}


class TestFinding:
    def test_says_where_and_what_and_how_to_see_it_again(self, checker: Checker, tmp_path: Path):
        ran = check(checker, tmp_path, LEAKING, names=("events/ada.json",))
        (finding,) = ran.findings
        assert (finding.rule, finding.path, finding.line, finding.modes) == ("RUN101", "app.py", 9, (Mode.TASK,))
        evidence = "\n".join(finding.evidence)
        assert re.search(
            r"^invocation \d answered with data of invocation \d: \{\"hello\":\"Ada-fa5e\w{8}\"\}$",
            evidence,
            re.MULTILINE,
        )
        assert "first seen at app.py:9 in handler: the value it returns is" in evidence
        assert "kept in app.state.name" in evidence
        assert ran.reproduce == (
            "polylambda check --run app.handler --event events/ada.json --mode task --concurrency 2 --invocations 2 --seed 1"
        )

    def test_is_the_same_with_the_same_seed(self, checker: Checker, tmp_path: Path):
        once, twice = (check(checker, tmp_path, LEAKING, seed=7) for _ in range(2))
        assert once == twice
        assert once.seed == 7

    def test_tells_a_deadlock_of_threads(self, checker: Checker, tmp_path: Path):
        source = """
import threading

one, two = threading.Lock(), threading.Lock()

def handler(event, context):
    first, second = (one, two) if event["turn"] else (two, one)
    with first:
        with second:
            return "done"
"""
        ran = check(checker, tmp_path, source, b'{"turn": true}', b'{"turn": false}', invocations=16)
        assert rules(ran) == {"RUN114"}
        assert "app.py:9 in handler" in "\n".join(ran.findings[0].evidence)

    def test_tells_what_hangs_for_what_the_one_before_has_left(self, checker: Checker, tmp_path: Path):
        source = """
import threading

lock = threading.Lock()

def handler(event, context):
    lock.acquire()
    return 1
"""
        (finding,) = check(checker, tmp_path, source).findings
        assert (finding.rule, finding.line) == ("RUN114", 7)
        assert finding.message == "an invocation hangs for what one before it has left, and never ends"

    def test_tells_what_fails_for_what_the_one_before_has_left(self, checker: Checker, tmp_path: Path):
        source = """
numbers = iter([1])

def handler(event, context):
    return list(numbers)[0]
"""
        (finding,) = check(checker, tmp_path, source).findings
        assert (finding.rule, finding.line) == ("RUN114", 5)
        assert finding.message == "an invocation fails with IndexError when it runs after others, and not by itself"

    def test_tells_what_never_ends_among_others(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio

under_way = []

async def handler(event, context):
    under_way.append(1)
    await asyncio.sleep(1)
    while len(under_way) > 1:
        await asyncio.sleep(0)
    under_way.pop()
    return "done"
"""
        (finding,) = check(checker, tmp_path, source, timeout=3).findings
        assert finding.rule == "RUN114"

    def test_is_where_the_user_wrote_it(self, checker: Checker, tmp_path: Path):
        source = """
from functools import partial

def append(names, event, context):
    names.append(event["name"])

handler = partial(append, [])
"""
        (finding,) = check(checker, tmp_path, source, mode=Mode.PROCESS, invocations=16).findings
        assert (finding.rule, finding.path, finding.line) == ("RUN108", "app.py", 4)

    def test_survives_a_handler_that_kills_its_process(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio, os, signal

under_way = []

async def handler(event, context):
    under_way.append(1)
    await asyncio.sleep(1)
    if len(under_way) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    under_way.clear()
    return "done"
"""
        assert rules(check(checker, tmp_path, source)) == {"RUN114"}

    def test_tells_a_growing_list_but_no_cache_with_a_bound(self, checker: Checker, tmp_path: Path):
        source = """
from functools import lru_cache

@lru_cache(maxsize=20)
def parse(name):
    return name.split()

names = []

def handler(event, context):
    parse(event["name"])
    {grow}
    return "done"
"""
        growing = check(checker, tmp_path, source.replace("{grow}", "names.append(event['name'])"), mode=Mode.PROCESS)
        assert [(finding.rule, finding.message) for finding in growing.findings] == [
            ("RUN108", "app.names grows with every invocation")
        ]
        assert not check(checker, tmp_path, source.replace("{grow}", "pass"), mode=Mode.PROCESS).findings
        assert any("something grows" in line for line in checker.said)

    def test_tells_a_task_that_does_not_end_wherever_the_project_is(self, checker: Checker, tmp_path: Path):
        """Also in a folder that is called as this library is."""
        source = """
            import asyncio

            left = []

            async def beat():
                await asyncio.Event().wait()  # no sleep: the clock may be set to its end

            async def handler(event, context):
                left.append(asyncio.create_task(beat()))
        """
        folder = tmp_path / "polylambda"
        folder.mkdir()
        ran = check(checker, folder, textwrap.dedent(source), invocations=48)
        assert "every invocation leaves a task of beat that does not end" in {each.message for each in ran.findings}


class TestSilence:
    def test_about_what_differs_from_run_to_run(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio, itertools, os, random, time, uuid

numbers = itertools.count()

async def handler(event, context):
    began = time.time()
    await asyncio.sleep(random.random())
    return {"id": str(uuid.uuid4()), "at": began, "slot": context.slot, "process": os.getpid(), "number": next(numbers),
            "left": context.get_remaining_time_in_millis(), "repr": repr(object()), "name": event["name"]}
"""
        assert not check(checker, tmp_path, source, invocations=12).findings

    def test_about_state_behind_a_lock(self, checker: Checker, tmp_path: Path):
        source = """
import threading, time, types

lock, state = threading.RLock(), types.SimpleNamespace(count=0)

def handler(event, context):
    with lock:
        state.name, state.count = event["name"], state.count + 1
        time.sleep(60)
        return {"hello": state.name, "number": state.count}
"""
        ran = check(checker, tmp_path, source, invocations=12)
        assert not ran.findings
        assert ran.mode is Mode.THREAD

    def test_about_threads_that_block_where_nobody_sees_it(self, checker: Checker, tmp_path: Path):
        source = """
import queue

chairs = queue.SimpleQueue()
chairs.put("chair")

def handler(event, context):
    chair = chairs.get()  # in C: the one who waits has the baton, the one with the chair does not
    try:
        return [chair, event["name"]]
    finally:
        chairs.put(chair)
"""
        assert not check(checker, tmp_path, source).findings

    def test_about_a_first_use_that_takes_time(self, checker: Checker, tmp_path: Path):
        source = """
import functools, time

@functools.cache
def table():
    time.sleep(0.06)

async def handler(event, context):
    table()
    return "done"
"""
        assert not check(checker, tmp_path, source, stall=0.03).findings
        stalling = source.replace("@functools.cache", "")
        assert rules(check(checker, tmp_path, stalling, stall=0.03)) == {"RUN109"}

    def test_about_a_lifespan_that_takes_time(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio, contextlib
from polylambda import LambdaManagedRuntime

@contextlib.asynccontextmanager
async def lifespan():
    await asyncio.sleep(0.01)
    yield "a pool"
    await asyncio.sleep(0.01)

async def handler(event, context):
    async with asyncio.timeout(10):
        await asyncio.to_thread(print, event["name"])
    return [context.state, event["name"]]

runtime = LambdaManagedRuntime(handler, lifespan=lifespan)
"""
        assert not check(checker, tmp_path, source, target="app.runtime").findings


class TestEvents:
    def test_are_marked_where_the_handler_does_not_mind(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio, types

state = types.SimpleNamespace()

async def handler(event, context):
    state.name = event["name"]
    await asyncio.sleep(0)
    return {"create": lambda: {"created": state.name}}.get(event["action"], lambda: {"unknown": True})()
"""
        ran = check(checker, tmp_path, source, b'{"action": "create", "name": "Ada"}')
        assert rules(ran) == {"RUN101"}
        assert "1 of 2 places are marked" in "\n".join(checker.said)

    def test_without_a_string_are_told_apart_by_their_request_ids(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio, types

state = types.SimpleNamespace()

async def handler(event, context):
    state.id = context.aws_request_id
    await asyncio.sleep(0)
    return state.id
"""
        assert rules(check(checker, tmp_path, source, b"{}")) == {"RUN101"}

    def test_that_fail_by_themselves_are_mentioned(self, checker: Checker, tmp_path: Path):
        ran = check(
            checker, tmp_path, "def handler(event, context):\n    return event['name']", b"{}", b'{"name": "Ada"}'
        )
        assert not ran.findings
        assert not ran.reproduce
        assert "the handler fails with event 1 also when it runs by itself: KeyError: 'name'" in checker.said

    def test_that_hang_by_themselves_are_left_out(self, checker: Checker, tmp_path: Path):
        source = """
import asyncio

async def handler(event, context):
    if event.get("wait"):
        await asyncio.Event().wait()
    return "done"
"""
        ran = check(checker, tmp_path, source, b'{"name": "Ada"}', b'{"wait": true}')
        assert not ran.findings
        assert "event 2 is never answered (it is at app.py:6 in handler); it is left out" in checker.said


class TestRefusal:
    def test_of_what_is_not_there(self, checker: Checker, tmp_path: Path):
        with pytest.raises(
            ConfigurationError, match=r"nowhere\.handler cannot be run: Unable to import module 'nowhere'"
        ):
            check(checker, tmp_path, LEAKING, target="nowhere.handler")

    def test_of_a_mode_that_does_not_fit(self, checker: Checker, tmp_path: Path):
        with pytest.raises(ConfigurationError, match="async def, which does not run in thread mode"):
            check(checker, tmp_path, LEAKING, mode=Mode.THREAD)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("raise ValueError('boom')", "it fails with every event also by itself, first with ValueError: boom"),
            ("os._exit(3)", r"event 1 ends the process \(exit status 3\)"),
            ("sys.exit('bye')", "event 1 ends the process with SystemExit: bye"),
            ("threading.Event().wait()", r"event 1 is never answered \(it is at app.py:5 in handler\)"),
            ("while True: pass", r"event 1 is never answered \(it is at app.py:5 in handler\)"),
        ],
    )
    def test_of_a_handler_that_answers_nothing(self, checker: Checker, tmp_path: Path, body: str, reason: str):
        source = f"""
import os, sys, threading

def handler(event, context):
    {body}
"""
        with pytest.raises(
            ConfigurationError, match=rf"app\.handler cannot be checked, {reason}.*give an --event that"
        ):
            # What ends at once may take as long as a machine under load needs to start it.
            check(checker, tmp_path, source, timeout=3 if "never" in reason else 30)

    def test_of_what_takes_too_long(self, checker: Checker, tmp_path: Path):
        source = """
import subprocess

def handler(event, context):
    subprocess.run(["sleep", "0.1"])  # no clock of ours
"""
        with pytest.raises(ConfigurationError, match=r"did not get through 64 invocations within 1\.6 s: give fewer"):
            check(checker, tmp_path, source, invocations=64, concurrency=1, timeout=0.4)
