"""Contamination: many invocations at a time, none of which may see, answer, log or keep anything that is another's.

In each mode all slots are busy all the time, and most invocations wait for three others
that are under way in the same process, so that whatever could be mixed up has somebody to be mixed up with. `make
contamination` does the same with 20,000 invocations in each mode.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from polylambda.server.invocation import Invocation, new_id
from tests.environment import PATIENCE, Answer, Environment
from tests.integration.managed import managed, managed_environment

pytestmark = pytest.mark.timeout(600)

SLOTS = 64

COMMON = """
import asyncio, json, logging, os, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from polylambda import ResponseStream, concurrency_safe, current_context

log = logging.getLogger("app")
log.setLevel("INFO")
pool = ThreadPoolExecutor(4)
TOGETHER = 4
PATIENCE = 0.3  # seconds: the last ones wait in vain

def look():
    return [current_context().aws_request_id, os.environ["_X_AMZN_TRACE_ID"], os.getenv("_X_AMZN_TRACE_ID")]

def say(token, where):
    log.info("log %d %s", token, where)
    print("print", token, end=" ")  # the line is ended when others have printed
    return token, where

def in_thread(seen):
    thread = threading.Thread(target=lambda: seen.append(look()))
    thread.start()
    thread.join()

def own_file(context, token):
    return Path(context.tmp_dir) / f"file-{token}"

def answer_of(token, seen, context):
    assert own_file(context, token).read_text() == str(token)
    files = [str(path) for path in Path(context.tmp_dir).iterdir()]
    return json.dumps({"token": token, "seen": seen, "files": files, "id": context.aws_request_id})
"""

ASYNC_DEF = """
waiting = []

async def together():
    me = asyncio.get_running_loop().create_future()
    waiting.append(me)
    if len(waiting) == TOGETHER:
        for each in waiting:
            if not each.done():
                each.set_result(None)
        waiting.clear()
    try:
        async with asyncio.timeout(PATIENCE):
            await me
    except TimeoutError:
        pass
    finally:
        if me in waiting:
            waiting.remove(me)

async def look_later():
    await asyncio.sleep(0)
    return look()

async def handler(event, response: ResponseStream, context):
    token, kind = event["token"], event["kind"]
    seen = [look()]
    own_file(context, token).write_text(str(token))
    token, where = say(token, "begins")
    await together()
    print(where)
    if kind == "hang":
        await asyncio.Event().wait()
    if kind == "cancel":
        asyncio.current_task().cancel()
    await asyncio.sleep(event["delay"])
    seen += [look(), await asyncio.create_task(look_later())]
    if token % 10 == 0:
        seen.append(await asyncio.to_thread(look))
        seen.append(await asyncio.get_running_loop().run_in_executor(pool, look))
        in_thread(seen)
    await together()
    token, where = say(token, "ends")
    print(where)
    if kind == "error":
        raise ValueError(f"error {token}")
    body = answer_of(token, seen, context)
    if kind in ("stream", "broken"):
        for at in range(0, len(body), 300):
            await response.write(body[at : at + 300])
            if kind == "broken":
                raise ValueError(f"error {token}")
            await together()
    await response.finish("" if kind == "stream" else body)
"""

DEF = """
import fcntl, mmap, struct

condition = threading.Condition()
count = 0

def together():
    global count
    with condition:
        count += 1
        target = (count + TOGETHER - 1) // TOGETHER * TOGETHER
        if count == target:
            condition.notify_all()
        condition.wait_for(lambda: count >= target, PATIENCE)

if os.environ["AWS_LAMBDA_CONCURRENCY_MODE"] == "process":
    # The count is in a file.
    file = open("count", "a+b", buffering=0)
    file.truncate(8)
    memory = mmap.mmap(file.fileno(), 8)

    def together():
        fcntl.flock(file, fcntl.LOCK_EX)
        mine, = struct.unpack("q", memory)
        memory[:] = struct.pack("q", mine + 1)
        fcntl.flock(file, fcntl.LOCK_UN)
        target = (mine // TOGETHER + 1) * TOGETHER
        end = time.monotonic() + PATIENCE
        while struct.unpack("q", memory)[0] < target and time.monotonic() < end:
            time.sleep(0.0005)

@concurrency_safe
def handler(event, response: ResponseStream, context):
    token, kind = event["token"], event["kind"]
    seen = [look()]
    own_file(context, token).write_text(str(token))
    token, where = say(token, "begins")
    together()
    print(where)
    time.sleep(event["delay"])
    seen.append(look())
    if token % 10 == 0:
        seen.append(pool.submit(look).result())
        seen += pool.map(lambda _: look(), range(2))
        in_thread(seen)
    token, where = say(token, "ends")
    print(where)
    if kind == "error":
        raise ValueError(f"error {token}")
    body = answer_of(token, seen, context)
    if kind in ("stream", "broken"):
        for at in range(0, len(body), 300):
            response.write(body[at : at + 300])
            if kind == "broken":
                raise ValueError(f"error {token}")
    response.finish("" if kind == "stream" else body)
"""

KINDS = {"result": 70, "error": 10, "stream": 10, "broken": 5, "cancel": 4, "hang": 1}
ENDS = {
    "result": ("success",),
    "error": ("error",),
    "stream": ("success",),
    "broken": ("error",),
    "cancel": ("error",),
    "hang": ("timeout", "error"),  # the platform's clock and ours are about as quick
}


class Load:
    """Invocations of all kinds, and what came of them."""

    def __init__(self, count: int, *, can_be_cancelled: bool) -> None:
        chance = random.Random(count)
        kinds = [kind for kind in KINDS if can_be_cancelled or kind not in ("cancel", "hang")]
        self.kinds = chance.choices(kinds, [KINDS[kind] for kind in kinds], k=count)
        self.delays = [chance.choice((0, 0, 0.001, 0.003)) for _ in range(count)]
        self.ids = [new_id() for _ in range(count)]
        self.answers: list[Answer | None] = [None] * count

    async def send(self, environment: Environment, callers: int) -> None:
        """Have so many callers send one invocation after the other."""
        tokens = iter(range(len(self.kinds)))

        async def call() -> None:
            for token in tokens:
                kind = self.kinds[token]
                event = {"token": token, "kind": kind, "delay": self.delays[token]}
                invocation = Invocation(
                    payload=json.dumps(event).encode(),
                    request_id=self.ids[token],
                    trace_id=self.trace(token),
                    timeout=0.5 if kind == "hang" else PATIENCE,
                )
                self.answers[token] = await environment._collect(invocation)

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(call())

    @staticmethod
    def trace(token: int) -> str:
        return f"Root=1-5759e988-{token:024x};Sampled=0"

    def check_answers(self) -> None:
        """Each caller got its own answer, and each invocation saw itself."""
        folders: set[Path] = set()
        for token, answer in enumerate(self.answers):
            kind = self.kinds[token]
            assert answer is not None
            assert answer.request_id == self.ids[token]
            assert answer.outcome in ENDS[kind], (kind, answer)
            if kind == "error":
                assert answer.json["errorMessage"] == f"error {token}"
            elif kind == "broken":
                assert json.loads(answer.error_body)["errorMessage"] == f"error {token}"
            elif kind in ("result", "stream"):
                result = answer.json
                assert (result["token"], result["id"]) == (token, self.ids[token])
                expected = [self.ids[token], self.trace(token), self.trace(token)]
                assert all(seen == expected for seen in result["seen"]), (expected, result["seen"])
                (file,) = map(Path, result["files"])
                assert file.name == f"file-{token}"
                assert file.parent not in folders
                folders.add(file.parent)
        assert not any(folder.exists() for folder in folders)

    def check_log(self, lines: list[str]) -> None:
        """Everything that was written is there once, with the right id; and no answer was refused."""
        found: Counter[tuple[str, int]] = Counter()
        for line in lines:
            record: dict[str, Any] = json.loads(line)
            said = str(record.get("message") or record.get("errorMessage"))
            match = re.fullmatch(r"(log|print|error) (\d+)(.*)", said)
            if match is None:
                assert self._is_expected(record, said), line
                continue
            token = int(match[2])
            assert record["requestId"] == self.ids[token], line
            found[match[1] + match[3], token] += 1
        for token, kind in enumerate(self.kinds):
            expected = {"log begins", "print begins"}
            if kind not in ("cancel", "hang"):
                expected |= {"log ends", "print ends"}
            if kind in ("error", "broken"):
                expected |= {"error"}
            for what in expected:
                assert found.pop((what, token)) == 1, (what, token, kind)
        assert not found

    @staticmethod
    def _is_expected(record: dict[str, Any], said: str) -> bool:
        """Say whether it is the layout's line, or the error of a cancelled invocation."""
        return "runtime_worker_pool_initializing" in said or record.get("errorType") in (
            "CancelledError",
            "TimeoutError",
        )


@pytest.mark.parametrize("mode", ["task", "hybrid", "thread", "process"])
def test_invocations_are_kept_apart(tmp_path, request, mode):
    invocations = request.config.getoption("invocations")
    is_async = mode in ("task", "hybrid")
    load = Load(invocations, can_be_cancelled=is_async)
    with managed_environment(SLOTS, log_format="JSON") as environment:
        source = COMMON + (ASYNC_DEF if is_async else DEF)
        with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
            assert environment.wait_until_ready()
            running = asyncio.run_coroutine_threadsafe(load.send(environment, SLOTS), environment._loop)
            running.result(10 * PATIENCE)
            program.send(15)
            assert program.wait() == 0
        assert program.err == ""
    load.check_answers()
    load.check_log(program.out.splitlines())
