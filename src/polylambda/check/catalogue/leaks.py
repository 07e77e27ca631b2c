"""What `--run` sees where something of one invocation got to another; each event carries a marker that is its own."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

_SHARED = "invocations of one process share its memory"
_FILES = "all processes of an environment share its file system"
_FOLLOWING = "a process keeps its memory from one invocation to the next"

RESULT = Rule(
    id="RUN101",
    name="marker-in-result",
    summary="What belongs to one invocation was in the answer of another.",
    why={Mode.TASK: _SHARED, Mode.THREAD: _SHARED, Mode.PROCESS: f"{_FILES}, and {_FOLLOWING}"},
    production="Somebody reads what is somebody else's. It is the worst that can happen to a function, and it answers 200.",
    fix=(
        "The evidence names the two invocations, and where the marker was found. Look for what both of them can reach: "
        "globals under computed names, state of a library, files. Give each invocation its own, as the pages of the "
        "[static rules](README.md) show."
    ),
    unsafe=code(
        """
        import asyncio
        import pickle

        box = pickle.loads(pickle.dumps({}))  # an object that no parser knows


        async def handler(event, context):
            box["user"] = event["user"]
            await asyncio.sleep(0.01)
            return {"hello": box["user"]}
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            user = event["user"]
            await asyncio.sleep(0.01)
            return {"hello": user}
        """
    ),
)

LOG = Rule(
    id="RUN102",
    name="marker-in-log",
    summary="What belongs to one invocation was in a log line of another.",
    why={Mode.TASK: _SHARED, Mode.THREAD: _SHARED, Mode.PROCESS: f"{_FILES}, and {_FOLLOWING}"},
    production="The log of a request names another customer. Whoever looks into an incident follows the wrong one, and personal data is where it must not be.",
    fix="Log what is passed to the function, or what a context variable holds; put nothing about a request on a logger.",
    unsafe=code(
        """
        import asyncio
        import logging

        logger = logging.getLogger(__name__)
        fields = dict.__setitem__, {}


        async def handler(event, context):
            write, kept = fields
            write(kept, "order", event["order"])
            await asyncio.sleep(0.01)
            logger.warning("placing %s", kept)
            return "ok"
        """
    ),
    safe=code(
        """
        import asyncio
        import logging

        logger = logging.getLogger(__name__)


        async def handler(event, context):
            await asyncio.sleep(0.01)
            logger.warning("placing %s", event["order"])
            return "ok"
        """
    ),
)

FILE = Rule(
    id="RUN103",
    name="marker-in-file",
    summary="What belongs to one invocation was in a file that another one used.",
    why={Mode.TASK: _FILES, Mode.THREAD: _FILES, Mode.PROCESS: _FILES},
    production="A report, an archive or a database file contains rows of several customers, and goes to one of them.",
    fix="Write below `context.tmp_dir`, as [LMI201](LMI201.md) shows.",
    unsafe=code(
        """
        import os
        import tempfile

        descriptor, path = tempfile.mkstemp()  # one, for all invocations of the process


        def handler(event, context):
            os.pwrite(descriptor, event["order"].encode(), 0)
            with open(path) as file:
                return {"characters": len(file.read())}
        """
    ),
    safe=code(
        """
        def handler(event, context):
            path = context.tmp_dir / "order"
            path.write_text(event["order"])
            with open(path) as file:
                return {"characters": len(file.read())}
        """
    ),
)

ENVIRONMENT = Rule(
    id="RUN104",
    name="marker-in-environment",
    summary="What belongs to one invocation was in an environment variable that another one saw.",
    why={Mode.TASK: _SHARED, Mode.THREAD: _SHARED},
    production="A library that reads its tenant, proxy or profile from the environment works for the one that came last.",
    fix="Give the library an argument, and a child process an environment of its own, as [LMI203](LMI203.md) shows.",
    unsafe=code(
        """
        import asyncio
        import os


        async def handler(event, context):
            environment = vars(os)["environ"]  # by another way than its name
            environment["TENANT"] = event["tenant"]
            await asyncio.sleep(0.01)
            return {"tenant": os.environ["TENANT"]}
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            tenant = event["tenant"]
            await asyncio.sleep(0.01)
            return {"tenant": tenant}
        """
    ),
)

STATE = Rule(
    id="RUN105",
    name="marker-in-module-state",
    summary="What belongs to one invocation reached another one through the state of a module.",
    why={Mode.TASK: _SHARED, Mode.THREAD: _SHARED},
    production=(
        "Nothing has gone wrong yet: the value lies where the next change of the code, or a debug endpoint, will find it. "
        "A heap dump or an error report contains the data of requests that were over long ago."
    ),
    fix=(
        "The evidence names the function that gave the value to an invocation that it does not belong to. Look for where it "
        "has it from, and keep that in the invocation: in local variables, arguments, or a `contextvars.ContextVar`."
    ),
    unsafe=code(
        """
        import asyncio
        from operator import setitem

        recent = {}


        async def handler(event, context):
            setitem(recent, "last", event["order"])
            await asyncio.sleep(0.01)
            return {"characters": count(last())}


        def last():
            return recent["last"]


        def count(order):
            return len(order)
        """
    ),
    safe=code(
        """
        import asyncio


        async def handler(event, context):
            recent = {"last": event["order"]}
            await asyncio.sleep(0.01)
            return {"characters": count(recent["last"])}


        def count(order):
            return len(order)
        """
    ),
)

RESULT_DIFFERS = Rule(
    id="RUN106",
    name="result-differs",
    summary="A result differs from that of the same event when invocations run one after the other.",
    why={Mode.TASK: _SHARED, Mode.THREAD: _SHARED, Mode.PROCESS: _FILES},
    production="Totals are wrong, rows are missing, a counter jumps; each time the code is looked at, with one event, it is right.",
    fix=(
        "The evidence shows both results. Look for what is read in one step and written in another: a counter, a "
        "balance, an iterator that is shared. Results that differ by themselves, such as times and random numbers, are "
        "recognised, since the sequential run is made twice."
    ),
    unsafe=code(
        """
        import asyncio
        from operator import setitem

        total = {"amount": 0}


        async def handler(event, context):
            before = total["amount"]
            setitem(total, "amount", before + event["amount"])
            await asyncio.sleep(0.01)
            return {"added": total["amount"] - before}
        """
    ),
    safe=code(
        """
        async def handler(event, context):
            return {"added": event["amount"]}
        """
    ),
)

FILE_TWICE = Rule(
    id="RUN107",
    name="file-written-twice",
    summary="Two invocations wrote the same file.",
    why={Mode.TASK: _FILES, Mode.THREAD: _FILES, Mode.PROCESS: _FILES},
    production="As with [RUN103](RUN103.md), found before anything of one invocation reached another.",
    fix="Write below `context.tmp_dir`, as [LMI201](LMI201.md) shows. For a file that all should write, such as a cache: write it under a name of your own and rename it.",
    unsafe=code(
        """
        from pathlib import Path

        names = {path.name for path in Path("/tmp").parent.iterdir()}


        def handler(event, context):
            folder = min(name for name in names if name.startswith("tmp"))  # /tmp, after all
            with open(f"/{folder}/orders", "w") as file:
                file.write(event["order"])
            return "ok"
        """
    ),
    safe=code(
        """
        def handler(event, context):
            with open(context.tmp_dir / "orders", "w") as file:
                file.write(event["order"])
            return "ok"
        """
    ),
)
