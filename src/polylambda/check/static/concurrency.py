"""Threads, tasks and executors: where what they are given runs, and who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.static import calls, containers, expressions
from polylambda.check.static.frame import Arguments, Call
from polylambda.check.static.values import UNKNOWN, Coroutine, External, Instance, Partial, Value

if TYPE_CHECKING:
    from collections.abc import Callable

_TASK_GROUPS = ("asyncio.TaskGroup", "anyio.TaskGroup")


def _run_in_thread(call: Call, callee: Value, arguments: Arguments) -> Value:
    """It may block there."""
    frame = call.frame
    outer = frame.loop
    frame.loop = False
    try:
        return calls.call(frame, callee, arguments, call.node)
    finally:
        frame.loop = outer


def _to_thread(call: Call) -> Value:
    return (Coroutine(_run_in_thread(call, call.at(0), call.arguments.without_first()), "to_thread"),)


def _as_async(call: Call) -> Value:
    return (Partial((External("asyncio.to_thread"),), (call.at(0),), ()),)


def _thread(call: Call) -> Value:
    target = call.at(1, "target")
    if not call.frame.importing and target:
        given = call.at(3, "args")
        positional = [value for atom in given if isinstance(atom, Instance) for value in atom.attributes.values()]
        _run_in_thread(call, target, Arguments(positional))
    return (call.made("threading.Thread"),)


def _awaited(call: Call) -> Value:
    return expressions.awaited(call.at(0))


def _first(call: Call) -> Value:
    return call.at(0) or UNKNOWN


def _task(call: Call) -> Value:
    return (call.made("asyncio.Task", expressions.awaited(call.at(0))),)


def _gather(call: Call) -> Value:
    arguments = call.arguments
    made = call.made("builtins.list", expressions.awaited(arguments.rest) if arguments.rest else ())
    for position, value in enumerate(arguments.positional):
        made.attributes[str(position)] = expressions.awaited(value)
    for value in arguments.all():
        call.note_joined(value)
    return (Coroutine((made,), "gather"),)


def _coroutine(name: str) -> Callable[[Call], Value]:
    return lambda call: (Coroutine(expressions.awaited(call.at(0)), name),)


def _start_loop(call: Call) -> Value:
    if not call.at(0):
        return UNKNOWN
    return expressions.awaited(calls.call(call.frame, call.at(0), call.arguments.without_first(), call.node))


def _is_pool(call: Call) -> bool:
    return call.owner is not None and any(name in call.owner.type_name for name in ("Executor", "Pool"))


def _submit(call: Call) -> Value | None:
    if not _is_pool(call):
        return None
    result = _run_in_thread(call, call.at(0), call.arguments.without_first())
    return (call.made("concurrent.futures.Future", result),)


def _map(call: Call) -> Value | None:
    if not _is_pool(call):
        return None
    items = [containers.elements_of(call.frame, each, call.node) for each in call.arguments.positional[1:]]
    return (call.made("builtins.generator", _run_in_thread(call, call.at(0), Arguments(items))),)


def _run_in_executor(call: Call) -> Value | None:
    rest = call.arguments.without_first()
    return (Coroutine(_run_in_thread(call, rest.at(0), rest.without_first()), "run_in_executor"),)


def _create_task(call: Call) -> Value | None:
    made = _task(call)
    if call.owner is not None and call.owner.type_name in _TASK_GROUPS:
        call.note_joined(made)
    return made


def _start_soon(call: Call) -> Value | None:
    return calls.call(call.frame, call.at(0), call.arguments.without_first(), call.node)


def _run(call: Call) -> Value | None:
    return _awaited(call) if call.owner is not None and call.owner.type_name == "asyncio.Runner" else None


def _result(call: Call) -> Value | None:
    owner = call.owner
    return owner.elements or UNKNOWN if owner is not None and owner.type_name in containers.AWAITABLE else None


FUNCTIONS: dict[str, Callable[[Call], Value]] = {
    "anyio.run": _start_loop,
    "anyio.to_thread.run_sync": _to_thread,
    "asgiref.sync.sync_to_async": _as_async,
    "asyncio.as_completed": _first,
    "asyncio.create_task": _task,
    "asyncio.ensure_future": _task,
    "asyncio.gather": _gather,
    "asyncio.run": _awaited,
    "asyncio.run_coroutine_threadsafe": _task,
    "asyncio.shield": _first,
    "asyncio.sleep": _coroutine("asyncio.sleep"),
    "asyncio.to_thread": _to_thread,
    "asyncio.wait": _gather,
    "asyncio.wait_for": _coroutine("asyncio.wait_for"),
    "asyncio.wrap_future": _first,
    "fastapi.concurrency.run_in_threadpool": _to_thread,
    "starlette.concurrency.run_in_threadpool": _to_thread,
    "threading.Thread": _thread,
}

METHODS: dict[str, Callable[[Call], Value | None]] = {
    "create_task": _create_task,
    "map": _map,
    "result": _result,
    "run": _run,
    "run_in_executor": _run_in_executor,
    "run_until_complete": _awaited,
    "start_soon": _start_soon,
    "submit": _submit,
}
