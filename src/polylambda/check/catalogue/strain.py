"""What `--run` sees of an environment that does not stand many invocations: growth, stalls, leaks, failures."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

_LIVES = "the environment serves many more invocations than one on Lambda did, and is replaced rarely"

GROWS = Rule(
    id="RUN108",
    name="state-grows",
    summary="The state of a module grows with every invocation.",
    why=dict.fromkeys(Mode, _LIVES),
    production="Memory climbs for hours, until the environment is killed with all that is under way in it; then it begins anew.",
    fix="The evidence names what grows. Bound it: `lru_cache(maxsize=...)`, `deque(maxlen=...)`; or keep it in the invocation.",
    unsafe=code(
        """
        from operator import iadd

        served = []


        async def handler(event, context):
            iadd(served, [event["order"]])
            return "ok"
        """
    ),
    safe=code(
        """
        async def handler(event, context):
            served = [event["order"]]
            return f"ok, {len(served)}"
        """
    ),
)

STALL = Rule(
    id="RUN109",
    name="event-loop-stalled",
    summary="The event loop stood still for longer than the threshold.",
    why={Mode.TASK: "nothing else runs meanwhile, in none of the invocations of the process"},
    production="Latency grows with the load although the CPU idles, or deadlines pass in invocations that had nothing to do.",
    fix="The evidence has the stack that caused it. Await it, or make it in a thread: `await asyncio.to_thread(...)`. Computing belongs in a process.",
    unsafe=code(
        """
        async def handler(event, context):
            total = 0
            for number in range(3_000_000):  # no call that blocks, only work
                total += number
            return total
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            total = 0
            for number in range(50_000):
                total += number
                if number % 1000 == 0:
                    await asyncio.sleep(0)  # others have their turn
            return total
        """
    ),
)

TASKS = Rule(
    id="RUN110",
    name="tasks-leaked",
    summary="Tasks are left when their invocation is over.",
    why=dict.fromkeys(Mode, "they go on beside later invocations, and each invocation adds more"),
    production="Connections and memory are held by tasks that nobody waits for; their errors are told long after, without a request.",
    fix="`async with asyncio.TaskGroup()`; or cancel them in a `finally`, and await them.",
    unsafe=code(
        """
        import asyncio

        tasks = set()


        async def handler(event, context):
            task = asyncio.create_task(asyncio.sleep(3600))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return "ok"
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0.01))
            return "ok"
        """
    ),
)

THREADS = Rule(
    id="RUN111",
    name="threads-leaked",
    summary="Threads are left when their invocation is over.",
    why=dict.fromkeys(Mode, "they go on beside later invocations, until no more can be started"),
    production="`RuntimeError: can't start new thread`, after some thousand invocations, in all of them.",
    fix="Stop what has started them, which joins them: `listener.stop()`, `with ThreadPoolExecutor() as pool`. Or make it once, for the module.",
    unsafe=code(
        """
        import logging
        import queue
        from logging.handlers import QueueListener


        def handler(event, context):
            lines = queue.Queue()
            QueueListener(lines, logging.NullHandler()).start()  # starts a thread
            return "ok"
        """
    ),
    safe=code(
        """
        import logging
        import queue
        from logging.handlers import QueueListener


        def handler(event, context):
            lines = queue.Queue()
            listener = QueueListener(lines, logging.NullHandler())
            listener.start()
            listener.stop()  # joins it
            return "ok"
        """
    ),
)

DESCRIPTORS = Rule(
    id="RUN112",
    name="descriptors-leaked",
    summary="File descriptors are left open when their invocation is over.",
    why=dict.fromkeys(Mode, "a managed environment may have 4,096 of them open, all invocations together"),
    production="`OSError: [Errno 24] Too many open files`, after hours, wherever the next file or connection is opened.",
    fix="Close what you open: `with open(...)`, `contextlib.closing(...)`. Share clients, which have pools.",
    unsafe=code(
        """
        import os


        def handler(event, context):
            descriptor = os.open("/dev/null", os.O_RDONLY)
            return os.read(descriptor, 1).decode()
        """
    ),
    safe=code(
        """
        def handler(event, context):
            with open("/dev/null") as file:
                return file.read(1)
        """
    ),
)

LEFTOVERS = Rule(
    id="RUN113",
    name="temporary-files-left",
    summary="Temporary files are left when their invocation is over.",
    why=dict.fromkeys(Mode, "`/tmp` is one for the environment, and as large as it was configured, 512 MB by default"),
    production="`OSError: [Errno 28] No space left on device`, after hours, in every invocation that writes a file.",
    fix="Write below `context.tmp_dir`, which is removed by itself, or in a `with tempfile.TemporaryDirectory()`.",
    unsafe=code(
        """
        import tempfile


        def handler(event, context):
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                file.write(event["order"])
            return "ok"
        """
    ),
    safe=code(
        """
        import tempfile


        def handler(event, context):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(event["order"])
            return "ok"
        """
    ),
)

FAILS = Rule(
    id="RUN114",
    name="fails-when-concurrent",
    summary="An invocation failed, or hung, only when others ran at the same time.",
    why=dict.fromkeys(Mode, "the same event is answered when it is alone"),
    production="Errors that no test shows, and that go away when somebody tries again: `RuntimeError`, `KeyError`, timeouts.",
    fix=(
        "The evidence has the error, or the stacks of what hangs. Look for what is there once: a lock that is held "
        "across an await, a connection, a generator, a table that one invocation empties while another one reads it."
    ),
    unsafe=code(
        """
        import asyncio
        from operator import delitem, setitem

        open_orders = {}


        async def handler(event, context):
            setitem(open_orders, "current", event["order"])
            await asyncio.sleep(0.01)
            delitem(open_orders, "current")
            return "ok"
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            open_orders = {"current": event["order"]}
            await asyncio.sleep(0.01)
            del open_orders["current"]
            return "ok"
        """
    ),
)
