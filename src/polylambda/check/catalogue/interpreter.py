"""Settings of the interpreter and of the C library, of which there is one for a process."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

LOCALE = Rule(
    id="LMI206",
    name="locale-changed",
    summary="The locale is changed for the whole process.",
    why={
        Mode.TASK: "after an await the locale may be another invocation's",
        Mode.THREAD: "the locale is the process's: C code and other threads see it change under them",
    },
    production=(
        "Amounts have a comma in some answers and a point in others, and so have those that a program parses. "
        "`setlocale` is not safe in threads either, and has crashed processes."
    ),
    fix="Use a library that takes the locale as an argument, such as Babel, or format the few things that you need by hand.",
    unsafe=code(
        """
        import locale


        def handler(event, context):
            locale.setlocale(locale.LC_NUMERIC, event["locale"])
            return locale.format_string("%.2f", event["price"])
        """
    ),
    safe=code(
        """
        POINTS = {"de": ",", "fr": ","}


        def handler(event, context):
            return f"{event['price']:.2f}".replace(".", POINTS.get(event["locale"], "."))
        """
    ),
)

DECIMAL = Rule(
    id="LMI207",
    name="decimal-context-changed",
    summary="The decimal context is changed for whatever else runs in it.",
    why={
        Mode.TASK: "tasks inherit the context object that was current when they were made, and share it",
        Mode.THREAD: "a thread keeps its context, and the next invocation in it computes with your precision",
    },
    production=(
        "Sums are rounded to four digits now and then: an invocation before, or one beside, wanted no more. Nothing is "
        "logged; the books do not add up at the end of the month."
    ),
    fix="`with decimal.localcontext() as digits: digits.prec = 4`, or the methods of a `decimal.Context` of your own.",
    unsafe=code(
        """
        from decimal import Decimal, getcontext


        def handler(event, context):
            getcontext().prec = event["digits"]
            return str(Decimal(event["total"]) / Decimal(event["parts"]))
        """
    ),
    safe=code(
        """
        from decimal import Decimal, localcontext


        def handler(event, context):
            with localcontext() as digits:
                digits.prec = event["digits"]
                return str(Decimal(event["total"]) / Decimal(event["parts"]))
        """
    ),
)

RANDOM = Rule(
    id="LMI208",
    name="shared-random-seeded",
    summary="The random generator that everybody shares is seeded.",
    why={
        Mode.TASK: "others draw from the same generator, before your draws and between them",
        Mode.THREAD: "others draw from the same generator, before your draws and between them",
    },
    production=(
        "Draws that should repeat do not, since another invocation took some of them. And draws that should not repeat "
        "do: whoever knows the seed of one request knows the codes and tokens that others are given."
    ),
    fix=(
        "Make a generator for the invocation: `random.Random(seed)`, `numpy.random.default_rng(seed)`. What must not be "
        "guessed comes from `secrets`."
    ),
    unsafe=code(
        """
        import random


        def handler(event, context):
            random.seed(event["customer"])
            return {"prize": random.choice(["tea", "coffee"])}
        """
    ),
    safe=code(
        """
        import random


        def handler(event, context):
            own = random.Random(event["customer"])
            return {"prize": own.choice(["tea", "coffee"])}
        """
    ),
)

SOCKET = Rule(
    id="LMI212",
    name="socket-default-timeout-changed",
    summary="The default timeout of all sockets is changed.",
    why={
        Mode.TASK: "every socket that any invocation opens from now on has it, in all libraries",
        Mode.THREAD: "every socket that any invocation opens from now on has it, in all libraries",
    },
    production=(
        "One request with little time left sets a default of half a second, and from then on connections to the "
        "database fail with timeouts, in all invocations, until the next one sets another default."
    ),
    fix="Give the timeout to the call: `urlopen(url, timeout=2)`, `socket.create_connection(address, timeout=2)`. A default for all is set at import.",
    unsafe=code(
        """
        import socket
        import urllib.request


        def handler(event, context):
            socket.setdefaulttimeout(context.get_remaining_time_in_millis() / 1000)
            with urllib.request.urlopen(event["url"]) as answer:
                return answer.status
        """
    ),
    safe=code(
        """
        import urllib.request


        def handler(event, context):
            left = context.get_remaining_time_in_millis() / 1000
            with urllib.request.urlopen(event["url"], timeout=left) as answer:
                return answer.status
        """
    ),
)

START_METHOD = Rule(
    id="LMI213",
    name="start-method-changed",
    summary="The start method of multiprocessing is changed for the whole process.",
    why={
        Mode.TASK: "it may be chosen once in the life of a process, and is everybody's",
        Mode.THREAD: "it may be chosen once in the life of a process, and is everybody's",
        Mode.PROCESS: "it may be chosen once in the life of a process: the second invocation fails",
    },
    production="The first invocation of each environment works, all others fail with `RuntimeError: context has already been set`.",
    fix='Use a context, which has its own method: `multiprocessing.get_context("spawn").Process(...)`.',
    unsafe=code(
        """
        import multiprocessing


        def handler(event, context):
            multiprocessing.set_start_method("spawn")
            with multiprocessing.Pool(2) as pool:
                return pool.map(abs, event["numbers"])
        """
    ),
    safe=code(
        """
        import multiprocessing


        def handler(event, context):
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                return pool.map(abs, event["numbers"])
        """
    ),
)

SETTING = Rule(
    id="LMI214",
    name="interpreter-setting-changed",
    summary="A setting of the whole interpreter is changed.",
    why={
        Mode.TASK: "there is one interpreter, and all invocations run in it",
        Mode.THREAD: "there is one interpreter, and all threads run in it",
    },
    production=(
        "A folder that is put in front of `sys.path` for one request lets others import the wrong module. A function "
        "that is patched for a dry run does nothing for those who meant it. With the collector off in one invocation, "
        "memory grows in all."
    ),
    fix=(
        "Set it at import, once for all. What should differ between requests is an argument: a function that is passed, "
        "a module that is loaded by `importlib` from its own path, a limit that is counted."
    ),
    unsafe=code(
        """
        import importlib
        import sys


        def handler(event, context):
            sys.path.insert(0, f"/opt/plugins/{event['tenant']}")
            return importlib.import_module("plugin").run(event)
        """
    ),
    safe=code(
        """
        import importlib
        import sys

        sys.path.insert(0, "/opt")  # with a package plugins, that has a module for each tenant


        def handler(event, context):
            return importlib.import_module(f"plugins.{event['tenant']}").run(event)
        """
    ),
)
