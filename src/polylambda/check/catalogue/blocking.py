"""What stalls the event loop and no linter sees."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

_STALL = "the event loop stands still, and with it every other invocation of the process"

CALL = Rule(
    id="LMI301",
    name="blocking-call-in-coroutine",
    summary="A coroutine makes a call that blocks the event loop.",
    why={Mode.TASK: f"until the call is back, {_STALL}"},
    production=(
        "An `async def` handler with a client of boto3 in it serves one invocation at a time, whatever the concurrency: "
        "each call to AWS holds up all others. The function looks idle, its latency grows with the load, and in the end "
        "deadlines pass."
    ),
    fix=(
        "Use the library's async sibling: aiobotocore or aioboto3, asyncpg or psycopg's AsyncConnection, redis.asyncio, "
        "aiosmtplib. Or make the call in a thread: `await asyncio.to_thread(client.get_object, Bucket=bucket, Key=key)`. "
        "Or write a `def` handler, and run it in `thread` or `process` mode."
    ),
    unsafe=code(
        """
        import boto3

        s3 = boto3.client("s3")


        async def handler(event, context):
            return s3.head_object(Bucket="orders", Key=event["key"])["ContentLength"]
        """
    ),
    safe=code(
        """
        import asyncio

        import boto3

        s3 = boto3.client("s3")


        async def handler(event, context):
            head = await asyncio.to_thread(s3.head_object, Bucket="orders", Key=event["key"])
            return head["ContentLength"]
        """
    ),
)

BELOW = Rule(
    id="LMI302",
    name="blocking-call-below-coroutine",
    summary="A coroutine calls a plain function that blocks the event loop.",
    why={Mode.TASK: f"the function runs on the loop: until it is back, {_STALL}"},
    production=(
        "As with [LMI301](LMI301.md), only that the coroutine shows nothing of it: the call that blocks is a few functions "
        "further down, in code that was written for `def` handlers. The finding names the calls that lead there."
    ),
    fix=(
        "Call the function in a thread, where the coroutine calls it: `await asyncio.to_thread(place, order)`. Or make it "
        "a coroutine, down to a library that is one."
    ),
    unsafe=code(
        """
        import time


        async def handler(event, context):
            return place(event["order"])


        def place(order):
            time.sleep(0.1)  # until the other side is ready
            return {"placed": order}
        """
    ),
    safe=code(
        """
        import asyncio
        import time


        async def handler(event, context):
            return await asyncio.to_thread(place, event["order"])


        def place(order):
            time.sleep(0.1)  # until the other side is ready
            return {"placed": order}
        """
    ),
)

HEAVY = Rule(
    id="LMI303",
    name="heavy-call-in-coroutine",
    summary="A coroutine computes on request data for as long as the caller likes.",
    why={Mode.TASK: f"while the CPU is busy with one event, {_STALL}"},
    production=(
        "Hashing a password takes a tenth of a second by design, unpacking an upload as long as the upload is large. A "
        "few such requests at a time are enough to have the others miss their deadlines; one that is made for it is, too."
    ),
    fix=(
        "`await asyncio.to_thread(hashlib.scrypt, ...)`: hashlib and the compressors let go of the GIL for large inputs. "
        "What computes in Python itself belongs in a process: a `ProcessPoolExecutor`, or a function of its own in "
        "`process` mode. Refuse inputs that are too large."
    ),
    unsafe=code(
        """
        import gzip


        async def handler(event, context):
            return {"size": len(gzip.decompress(bytes.fromhex(event["body"])))}
        """
    ),
    safe=code(
        """
        import asyncio
        import gzip


        async def handler(event, context):
            unpacked = await asyncio.to_thread(gzip.decompress, bytes.fromhex(event["body"]))
            return {"size": len(unpacked)}
        """
    ),
)

SECOND_LOOP = Rule(
    id="LMI304",
    name="event-loop-run-in-coroutine",
    summary="A coroutine starts a second event loop in its own thread.",
    why={
        Mode.TASK: "a loop runs in this thread already: `RuntimeError`, in every invocation",
        Mode.THREAD: "the coroutine runs on a loop in this thread: `RuntimeError`, in every invocation",
        Mode.PROCESS: "the coroutine runs on a loop in this thread: `RuntimeError`, in every invocation",
    },
    production=(
        "`RuntimeError: asyncio.run() cannot be called from a running event loop`. It worked while the handler was a "
        "`def`, and fails from the day on which it became an `async def`."
    ),
    fix="`await` the coroutine. A `def` handler may call `asyncio.run`, but then has a new loop, and new connections, in each invocation.",
    unsafe=code(
        """
        import asyncio


        async def find(number):
            return {"order": number}


        async def handler(event, context):
            return asyncio.run(find(event["number"]))
        """
    ),
    safe=code(
        """
        async def find(number):
            return {"order": number}


        async def handler(event, context):
            return await find(event["number"])
        """
    ),
)

LOCK = Rule(
    id="LMI305",
    name="thread-lock-in-coroutine",
    summary="A coroutine waits for a lock of threads, or holds one across an await.",
    why={Mode.TASK: f"whoever waits for it blocks the loop, so that the one who has it cannot go on: {_STALL}"},
    production=(
        "With one invocation at a time all is well. With two, the first holds the lock and awaits a query; the second "
        "waits for the lock, on the loop, which therefore never gets to the query's answer. The environment hangs until "
        "the platform ends it, and every invocation in it times out."
    ),
    fix=(
        "`asyncio.Lock` with `async with`, `asyncio.Queue`, `asyncio.Event`. A `threading.Lock` that is held for a few "
        "steps without an await between them is fine."
    ),
    unsafe=code(
        """
        import asyncio
        import threading

        lock = threading.Lock()


        async def handler(event, context):
            with lock:
                await asyncio.sleep(0.05)  # a query, so to speak
            return "done"
        """
    ),
    safe=code(
        """
        import asyncio

        lock = asyncio.Lock()


        async def handler(event, context):
            async with lock:
                await asyncio.sleep(0.05)  # a query, so to speak
            return "done"
        """
    ),
)
