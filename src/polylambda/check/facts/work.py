"""The standard library: threads, locks, processes, executors, event loops."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    ALL,
    LOOP_EACH,
    THREAD,
    Theme,
    below,
    blocks,
    known,
    loop_bound,
    process_wide,
    starts_work,
)

_LOOP = "await it: a coroutine runs on the loop that is there already"
_LOCK = "{name}() waits on the event loop, and with it every other invocation"
_LOCKS = "Lock RLock Semaphore BoundedSemaphore Condition"
_QUEUES = ["queue.Queue", "queue.LifoQueue", "queue.PriorityQueue", "queue.SimpleQueue", "multiprocessing.Queue"]
_POOL = "map starmap apply join"
_LIFESPAN = "make it in lifespan=, where a loop runs, and reach it as context.state"
_FIRST_LOOP = "{name}() at import belongs to the loop that uses it first"
_PER_LOOP = "make it inside the coroutine that asyncio.run() runs, or use an async def handler"
_ASYNC_LOCKS = "Lock Event Condition Semaphore BoundedSemaphore Barrier Queue LifoQueue PriorityQueue"

_CLASSES = [
    *below("threading", f"{_LOCKS} Event Barrier Thread Timer"),
    *below("multiprocessing", "Process Queue"),
    *_QUEUES,
    *below("asyncio", f"{_ASYNC_LOCKS} TaskGroup Runner"),
    *below("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor Future"),
]

THEME = Theme(
    facts=known(
        (
            blocks(_LOOP, "LMI304", "{name}() in a coroutine: a loop runs in this thread already", ALL),
            [
                "asyncio.run",
                "asyncio.Runner.run",
                *below("asyncio.AbstractEventLoop", "run_until_complete run_forever"),
                "anyio.run",
                "trio.run",
                "asgiref.sync.async_to_sync",
            ],
        ),
        (
            blocks("asyncio.Lock and its kin, with async with", "LMI305", _LOCK),
            [
                *(f"threading.{lock}.{method}" for lock in _LOCKS.split() for method in ("acquire", "__enter__")),
                "threading.Condition.wait",
                "threading.Condition.wait_for",
                *below("multiprocessing.Lock", "acquire __enter__"),
            ],
        ),
        (
            blocks("asyncio.Event, asyncio.Barrier", "LMI305", _LOCK),
            "threading.Event.wait threading.Barrier.wait",
        ),
        (
            blocks("asyncio.Queue", "LMI305", _LOCK),
            [*(f"{each}.get" for each in _QUEUES), "queue.Queue.join"],
        ),
        (blocks("await asyncio.to_thread(...) in place of the thread"), "threading.Thread.join threading.Timer.join"),
        (
            blocks("await asyncio.wrap_future(future)"),
            "concurrent.futures.Future.result concurrent.futures.Future.exception",
        ),
        (
            blocks("await loop.run_in_executor(pool, ...), and asyncio.gather()"),
            "concurrent.futures.wait concurrent.futures.as_completed",
        ),
        (
            blocks("await loop.run_in_executor(concurrent.futures.ProcessPoolExecutor(), ...)"),
            [*below("multiprocessing.Pool", _POOL), "multiprocessing.Process.join"],
        ),
        (
            loop_bound("{name}() at import: no loop runs yet that it could belong to", _LIFESPAN),
            [
                *below("asyncio", "create_task ensure_future gather open_connection start_server Future"),
                *below("asyncio.AbstractEventLoop", "create_task create_future"),
            ],
        ),
        (
            loop_bound(
                "one loop, {name}(), for all threads: it runs in one of them at a time",
                "an async def handler, whose invocations share one loop; or asyncio.run() in each invocation",
                THREAD,
            ),
            "asyncio.new_event_loop asyncio.get_event_loop uvloop.new_event_loop",
        ),
        (loop_bound(_FIRST_LOOP, _PER_LOOP, LOOP_EACH), below("asyncio", _ASYNC_LOCKS)),
        (
            starts_work(
                "{name}() is not kept: it may be collected before it is done",
                "keep it and await it, or asyncio.TaskGroup; work after the response is for a ResponseWriter",
                "RUF006",
            ),
            "asyncio.create_task asyncio.ensure_future asyncio.AbstractEventLoop.create_task",
        ),
        (
            starts_work("{name}() starts a thread that nobody waits for", "join it before the handler returns"),
            "threading.Thread.start threading.Timer.start _thread.start_new_thread",
        ),
        (
            starts_work("{name}() starts a process that nobody waits for", "wait for it before the handler returns"),
            [
                "multiprocessing.Process.start",
                "subprocess.Popen",
                "os.fork",
                "os.forkpty",
            ],
        ),
        (
            starts_work(
                "{name}() starts workers that nobody ends", "one pool, made at import, or with {name}(...) as pool:"
            ),
            [*below("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor"), "multiprocessing.Pool"],
        ),
        (
            process_wide(
                "LMI214", "{name}() changes what the loop does for all invocations", "set it once, in lifespan="
            ),
            below(
                "asyncio.AbstractEventLoop",
                "set_debug set_exception_handler set_default_executor set_task_factory",
            ),
        ),
        (
            process_wide("LMI214", "{name}() ends the loop that all invocations run on", "leave it to the runtime"),
            below("asyncio.AbstractEventLoop", "stop close"),
        ),
    ),
    gives={
        **{each: each for each in _CLASSES},
        "multiprocessing.Pool": "multiprocessing.Pool",
        "multiprocessing.pool.Pool": "multiprocessing.Pool",
        "multiprocessing.pool.ThreadPool": "multiprocessing.Pool",
        "multiprocessing.Lock": "multiprocessing.Lock",
        "concurrent.futures.ThreadPoolExecutor.submit": "concurrent.futures.Future",
        "concurrent.futures.ProcessPoolExecutor.submit": "concurrent.futures.Future",
        "asyncio.run_coroutine_threadsafe": "concurrent.futures.Future",
        "asyncio.get_running_loop": "asyncio.AbstractEventLoop",
        "asyncio.get_event_loop": "asyncio.AbstractEventLoop",
        "asyncio.new_event_loop": "asyncio.AbstractEventLoop",
        "uvloop.new_event_loop": "asyncio.AbstractEventLoop",
        "asyncio.create_task": "asyncio.Task",
        "asyncio.ensure_future": "asyncio.Task",
        "asyncio.AbstractEventLoop.create_task": "asyncio.Task",
        "asyncio.TaskGroup.create_task": "asyncio.Task",
        "asyncio.Future": "asyncio.Future",
    },
    aliases={
        "asyncio.locks": "asyncio",
        "asyncio.queues": "asyncio",
        "asyncio.tasks": "asyncio",
        "asyncio.events": "asyncio",
        "asyncio.runners": "asyncio",
        "asyncio.BaseEventLoop": "asyncio.AbstractEventLoop",
        "concurrent.futures.thread": "concurrent.futures",
        "concurrent.futures.process": "concurrent.futures",
        "concurrent.futures._base": "concurrent.futures",
        "concurrent.futures.Executor": "concurrent.futures.ThreadPoolExecutor",
        "multiprocessing.pool": "multiprocessing",
        "multiprocessing.ThreadPool": "multiprocessing.Pool",
        "_thread.allocate_lock": "threading.Lock",
    },
)
