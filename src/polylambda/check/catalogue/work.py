"""Work that is started and that nobody waits for."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

TASK = Rule(
    id="RUF006",
    name="asyncio-dangling-task",
    summary="A task is started and no reference to it is kept.",
    why={
        Mode.TASK: "the loop holds tasks weakly: the garbage collector may take one before it is done",
        Mode.THREAD: "`asyncio.run` cancels what is left when the invocation's coroutine returns",
        Mode.PROCESS: "the loop holds tasks weakly: the garbage collector may take one before it is done",
    },
    production=(
        "An audit record is missing, now and then. An exception in the task is told only when it is collected, without "
        "a request id, or not at all. Where invocations come faster than such tasks end, they pile up."
    ),
    fix=(
        "`async with asyncio.TaskGroup() as group: group.create_task(...)` waits for all of them. To answer first and "
        "work afterwards, take a `ResponseWriter` and go on after `write`."
    ),
    unsafe=code(
        """
        import asyncio


        async def audit(order):
            await asyncio.sleep(0.05)  # writes it somewhere, so to speak


        async def handler(event, context):
            asyncio.create_task(audit(event["order"]))
            return "placed"
        """
    ),
    safe=code(
        """
        import asyncio


        async def audit(order):
            await asyncio.sleep(0.05)  # writes it somewhere, so to speak


        async def handler(event, context):
            async with asyncio.TaskGroup() as group:
                group.create_task(audit(event["order"]))
            return "placed"
        """
    ),
)

COROUTINE = Rule(
    id="LMI405",
    name="coroutine-not-awaited",
    summary="A coroutine is made and never awaited.",
    why={
        Mode.TASK: "a call of an `async def` makes a coroutine and runs nothing of it",
        Mode.THREAD: "a call of an `async def` makes a coroutine and runs nothing of it",
        Mode.PROCESS: "a call of an `async def` makes a coroutine and runs nothing of it",
    },
    production=(
        "Mails are never sent, and nothing fails. All that is to be seen is a line in the log, `RuntimeWarning: coroutine "
        "... was never awaited`, once in the life of a process."
    ),
    fix="`await` it, or give it to `asyncio.gather` or a task group.",
    unsafe=code(
        """
        async def notify(customer):
            print(f"a mail to {customer}")


        async def handler(event, context):
            notify(event["customer"])
            return "placed"
        """
    ),
    safe=code(
        """
        async def notify(customer):
            print(f"a mail to {customer}")


        async def handler(event, context):
            await notify(event["customer"])
            return "placed"
        """
    ),
)

UNJOINED = Rule(
    id="LMI406",
    name="work-not-joined",
    summary="A thread, process or executor is started and never joined.",
    why={
        Mode.TASK: "it goes on beside later invocations, and each invocation adds one more",
        Mode.THREAD: "it goes on beside later invocations, and each invocation adds one more",
        Mode.PROCESS: "it goes on in the next invocation's time, or is lost when the environment is frozen or ended",
    },
    production=(
        "On Lambda as it was, an environment is frozen after the answer and the work is done minutes later, or never. A "
        "managed environment is not frozen: there threads and processes pile up until no more can be made. Errors in "
        "them are heard by nobody."
    ),
    fix=(
        "Join it before the answer: `with ThreadPoolExecutor() as pool`, `thread.join()`. An executor of the module, "
        "whose results the invocation waits for, is cheaper. To answer first and work afterwards, take a "
        "`ResponseWriter` and go on after `write`."
    ),
    unsafe=code(
        """
        import threading


        def audit(order):
            print(f"placed {order}")


        def handler(event, context):
            threading.Thread(target=audit, args=(event["order"],)).start()
            return "placed"
        """
    ),
    safe=code(
        """
        import threading


        def audit(order):
            print(f"placed {order}")


        def handler(event, context):
            writer = threading.Thread(target=audit, args=(event["order"],))
            writer.start()
            writer.join()
            return "placed"
        """
    ),
)
