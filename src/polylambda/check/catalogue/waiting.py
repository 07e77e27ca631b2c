"""Blocking calls directly in a coroutine that ruff finds; the ids are ruff's."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

_STALL = "the event loop stands still, and with it every other invocation of the process"

HTTP = Rule(
    id="ASYNC210",
    name="blocking-http-call-in-async-function",
    summary="A coroutine calls an HTTP library that blocks.",
    why={Mode.TASK: f"until the answer is there, {_STALL}"},
    production=(
        "All invocations of an environment become as slow as the slowest service that one of them calls. With sixty-four "
        "slots and calls of 50 ms, the environment serves twenty invocations a second, not a thousand; then deadlines "
        "pass in invocations that had next to nothing to do."
    ),
    fix=(
        "Use `httpx.AsyncClient` or `aiohttp`, one client for all invocations. Or leave the call as it is and make it in "
        "a thread: `await asyncio.to_thread(requests.get, url)`."
    ),
    unsafe=code(
        """
        import urllib.request


        async def handler(event, context):
            with urllib.request.urlopen(event["url"], timeout=2) as answer:
                return answer.status
        """
    ),
    safe=code(
        """
        import asyncio
        import urllib.request


        def fetch(url):
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status


        async def handler(event, context):
            return await asyncio.to_thread(fetch, event["url"])
        """
    ),
)

HTTPX = Rule(
    id="ASYNC212",
    name="blocking-http-call-httpx-in-async-function",
    summary="A coroutine calls httpx's blocking client.",
    why={Mode.TASK: f"until the answer is there, {_STALL}"},
    production="As with [ASYNC210](ASYNC210.md): one slow service slows down all invocations. The right library is installed already.",
    fix="Use `httpx.AsyncClient`, and `await` its calls.",
    unsafe=code(
        """
        import httpx

        client = httpx.Client()


        async def handler(event, context):
            return await fetch(client, event["url"])


        async def fetch(client: httpx.Client, url: str):
            return client.get(url).json()
        """
    ),
    safe=code(
        """
        import httpx

        client = httpx.AsyncClient()


        async def handler(event, context):
            return await fetch(client, event["url"])


        async def fetch(client: httpx.AsyncClient, url: str):
            answer = await client.get(url)
            return answer.json()
        """
    ),
)

START_PROCESS = Rule(
    id="ASYNC220",
    name="create-subprocess-in-async-function",
    summary="A coroutine starts a child process in a way that blocks.",
    why={Mode.TASK: f"while the process is forked and its program loaded, {_STALL}"},
    production=(
        "Each start of a child takes some milliseconds, more with much memory, and whatever is then done with its pipes "
        "blocks for as long as the child likes."
    ),
    fix="`await asyncio.create_subprocess_exec(...)`, and `await` its `wait()` or `communicate()`.",
    unsafe=code(
        """
        import subprocess


        async def handler(event, context):
            with subprocess.Popen(["wc", "-c", event["path"]], stdout=subprocess.PIPE) as child:
                return child.pid
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            child = await asyncio.create_subprocess_exec("wc", "-c", event["path"])
            await child.wait()
            return child.pid
        """
    ),
)

RUN_PROCESS = Rule(
    id="ASYNC221",
    name="run-process-in-async-function",
    summary="A coroutine runs a child process and blocks until it ends.",
    why={Mode.TASK: f"until the child ends, {_STALL}"},
    production=(
        "A conversion of two seconds in one invocation adds two seconds to all others. Health checks of the runtime and "
        "deadlines wait, too."
    ),
    fix=(
        "`await asyncio.create_subprocess_exec(...)`, or the same call in a thread: "
        "`await asyncio.to_thread(subprocess.run, command, capture_output=True)`."
    ),
    unsafe=code(
        """
        import subprocess


        async def handler(event, context):
            done = subprocess.run(["wc", "-c", event["path"]], capture_output=True)
            return done.stdout.decode()
        """
    ),
    safe=code(
        """
        import asyncio
        import subprocess


        async def handler(event, context):
            done = await asyncio.to_thread(subprocess.run, ["wc", "-c", event["path"]], capture_output=True)
            return done.stdout.decode()
        """
    ),
)

WAIT_PROCESS = Rule(
    id="ASYNC222",
    name="wait-for-process-in-async-function",
    summary="A coroutine waits for a child process and blocks meanwhile.",
    why={Mode.TASK: f"until the child ends, {_STALL}"},
    production="As with [ASYNC221](ASYNC221.md): the child's time is added to all invocations. A child that never ends stops the process.",
    fix="`await` the `wait()` of a child that `asyncio.create_subprocess_exec` has started, with `asyncio.timeout` around it.",
    unsafe=code(
        """
        import asyncio
        import os


        async def handler(event, context):
            child = await asyncio.create_subprocess_exec("/bin/true")
            _, status = os.waitpid(child.pid, 0)
            return os.waitstatus_to_exitcode(status)
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            child = await asyncio.create_subprocess_exec("/bin/true")
            async with asyncio.timeout(2):
                return await child.wait()
        """
    ),
)

OPEN = Rule(
    id="ASYNC230",
    name="blocking-open-call-in-async-function",
    summary="A coroutine opens a file, which blocks.",
    why={Mode.TASK: f"until the file system has answered, {_STALL}"},
    production=(
        "On the local disk it is a fraction of a millisecond. On EFS or another network file system it is as long as the "
        "network takes, and a file of some megabytes takes long everywhere."
    ),
    fix="Read at import what does not change. Else read in a thread, `await asyncio.to_thread(path.read_text)`, or with `aiofiles` or `anyio.open_file`.",
    unsafe=code(
        """
        async def handler(event, context):
            with open(f"/mnt/efs/{event['name']}") as file:
                return file.read()
        """
    ),
    safe=code(
        """
        import asyncio


        def read(name):
            with open(f"/mnt/efs/{name}") as file:
                return file.read()


        async def handler(event, context):
            return await asyncio.to_thread(read, event["name"])
        """
    ),
)

PATH = Rule(
    id="ASYNC240",
    name="blocking-path-method-in-async-function",
    summary="A coroutine asks the file system through a path, which blocks.",
    why={Mode.TASK: f"until the file system has answered, {_STALL}"},
    production="As with [ASYNC230](ASYNC230.md): `exists`, `stat` and `glob` on a network file system take as long as the network does.",
    fix="`await asyncio.to_thread(os.path.exists, path)`, or `anyio.Path`. Taking a path apart (`suffix`, `name`, `basename`) asks nobody and is fine.",
    unsafe=code(
        """
        import os.path


        async def handler(event, context):
            return os.path.exists(f"/mnt/efs/{event['name']}")
        """
    ),
    safe=code(
        """
        import asyncio
        import os.path


        async def handler(event, context):
            return await asyncio.to_thread(os.path.exists, f"/mnt/efs/{event['name']}")
        """
    ),
)

INPUT = Rule(
    id="ASYNC250",
    name="blocking-input-in-async-function",
    summary="A coroutine waits for input(), which blocks.",
    why={Mode.TASK: f"until somebody types a line, and nobody does, {_STALL}"},
    production="In Lambda standard input is empty: the call fails with `EOFError`. On a laptop it stops the whole function.",
    fix="Leave it out: what a handler needs to know is in its event.",
    unsafe=code(
        """
        async def handler(event, context):
            if input("go on? ") == "yes":
                return event["order"]
            return None
        """
    ),
    safe=code(
        """
        async def handler(event, context):
            if event.get("confirmed"):
                return event["order"]
            return None
        """
    ),
)

SLEEP = Rule(
    id="ASYNC251",
    name="blocking-sleep-in-async-function",
    summary="A coroutine sleeps with time.sleep, and everything else with it.",
    why={Mode.TASK: f"for all that time {_STALL}"},
    production=(
        "A pause of a second between two tries is a second for all invocations. Under load, when tries fail, the pauses "
        "add up: the function is slow just when it should be quick."
    ),
    fix="`await asyncio.sleep(seconds)`.",
    unsafe=code(
        """
        import time


        async def handler(event, context):
            time.sleep(1)
            return "rested"
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            await asyncio.sleep(1)
            return "rested"
        """
    ),
)
