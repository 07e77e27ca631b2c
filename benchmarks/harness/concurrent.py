"""What is compared with what when an environment has many slots.

All of it runs on the same two cores, server and runtime alike, and nothing is pinned to one of them: half of the subjects
are many processes. The handlers do the same work for either runtime, each in the form that runtime is made for.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.scenario import PRODUCTION, Bar, Scenario, Subject, at_least, at_most

HANDLER_SECONDS = 0.05
"""What the handlers of handlers_io.py and handlers_io_async.py wait."""

TASK = "polylambda task, uvloop"
TASK_ASYNCIO = "polylambda task, asyncio"
HYBRID = "polylambda hybrid, uvloop"
HYBRID_ASYNCIO = "polylambda hybrid, asyncio"
PROCESS = "polylambda process"
PRELOAD = "polylambda process, preload"

_Mode = Literal["task", "hybrid", "process", "thread"]


def _scenario(name: str, title: str, slots: int, *, event: str = "small", **rest: Any) -> Scenario:
    return Scenario(name, title, event, group="concurrent", slots=slots, placement="shared", **rest)


def _ric(handler: str = "handlers.noop") -> Subject:
    return Subject("awslambdaric", "awslambdaric", handler)


def _ric_production(handler: str = "handlers.noop") -> Subject:
    return Subject("awslambdaric, production", "awslambdaric", handler, PRODUCTION)


def _poly(name: str, handler: str, *, slots: int | None = None, against: str | None = None) -> Subject:
    """Return polylambda in the mode and with the loop that its name says."""
    mode, _, loop = name.removeprefix("polylambda ").partition(", ")
    environment = {"AWS_LAMBDA_CONCURRENCY_MODE": mode}
    if loop == "preload":
        environment["POLYLAMBDA_PRELOAD"] = "1"
    elif loop:
        environment["POLYLAMBDA_LOOP"] = loop
    if slots is not None:
        name = _at(name, slots)
    return Subject(name, "polylambda", handler, environment, slots, against)


def _at(name: str, slots: int) -> str:
    return f"{name}, {slots} slots"


def _tasks(handler: str) -> tuple[Subject, Subject]:
    return _poly(TASK, handler), _poly(TASK_ASYNCIO, handler)


def _hybrids(handler: str) -> tuple[Subject, Subject]:
    return _poly(HYBRID, handler), _poly(HYBRID_ASYNCIO, handler)


def _threads() -> Subject:
    return _poly("polylambda thread", "handlers_safe.noop")


def _client(slots: int, *options: str) -> Subject:
    return Subject("C client", "client", " ".join(("--pipeline", "--connections", str(slots), *options)))


def _growth(handler: str, few: int, many: int) -> tuple[Subject, ...]:
    """Return the task mode with few slots and, compared with it, with many."""
    return tuple(
        subject
        for name in (TASK, TASK_ASYNCIO)
        for subject in (_poly(name, handler, slots=few), _poly(name, handler, slots=many, against=_at(name, few)))
    )


def _noop(slots: int, subjects: tuple[Subject, ...], bars: tuple[Bar, ...]) -> Scenario:
    everybody = (_ric(), _ric_production(), *subjects, _client(slots))
    title = f"No-op at {slots} slots (`task` and `hybrid`: async handler; the others: sync)"
    return _scenario(f"noop-{slots}", title, slots, subjects=everybody, bars=bars)


def _io(slots: int) -> Scenario:
    return _scenario(
        f"io-{slots}",
        f"A handler that waits 50 ms, at {slots} slots (polylambda: `asyncio.sleep`; awslambdaric: `time.sleep`)",
        slots,
        handler_seconds=HANDLER_SECONDS,
        stretch=4,
        subjects=(
            _ric("handlers_io.query"),
            *_tasks("handlers_io_async.query"),
            _poly(HYBRID, "handlers_io_async.query"),
        ),
        bars=tuple(
            bar
            for name in (TASK, TASK_ASYNCIO, HYBRID)
            for bar in (at_least(name, "pace", 0.95, absolute=True), at_most(name, "cpu", 0.5))
        ),
    )


def _starts(slots: int, *subjects: Subject) -> Scenario:
    return _scenario(
        f"start-{slots}",
        f"Start to first poll, and until all {slots} slots poll",
        slots,
        kind="starts",
        subjects=(_ric(), _ric_production(), *subjects),
        bars=(),
    )


def _emulator(slots: int, *subjects: Subject) -> Scenario:
    return _scenario(
        f"emulator-{slots}",
        f"A handler that waits 50 ms under AWS's emulator, {slots} slots and as many callers",
        slots,
        kind="calls",
        handler_seconds=HANDLER_SECONDS,
        stretch=2,
        subjects=(_ric("handlers_io.query"), *subjects),
        bars=tuple(at_most(subject.name, "refused", 0.1) for subject in subjects),
    )


def _program(runtime_class: str, handler: str, *, loop: str = "") -> Subject:
    name = f"{runtime_class}, {loop or 'sync handler'}"
    against = None if runtime_class == "LambdaRuntime" else name.replace(runtime_class, "LambdaRuntime")
    environment = {"POLYLAMBDA_LOOP": loop} if loop else {}
    return Subject(name, "program", f"{runtime_class} {handler}", environment, against=against)


CONCURRENT = (
    _noop(
        8,
        (_poly(PROCESS, "handlers.noop"), *_tasks("handlers.noop_async"), _threads()),
        (at_least(PROCESS, "rate", 2.4), at_least(TASK, "rate", 1.8)),
    ),
    _noop(
        64,
        (*_tasks("handlers.noop_async"), *_hybrids("handlers.noop_async"), _threads()),
        (
            at_least(TASK, "rate", 2.7),
            at_least(HYBRID, "rate", 3.3),
            at_least(TASK_ASYNCIO, "rate", 1.4),
            at_least(HYBRID_ASYNCIO, "rate", 1.7),
        ),
    ),
    _noop(256, _tasks("handlers.noop_async"), ()),
    _scenario(
        "noop-64-256",
        "No-op, async handler, from 64 to 256 slots",
        64,
        subjects=_growth("handlers.noop_async", 64, 256),
        bars=tuple(at_least(_at(name, 256), "rate", 0.8) for name in (TASK, TASK_ASYNCIO)),
    ),
    _io(64),
    _io(256),
    _scenario(
        "echo-100k-8",
        "Echo of a JSON array of 100 KB at 8 slots",
        8,
        event="100k",
        subjects=(
            _ric("handlers.echo"),
            _ric_production("handlers.echo"),
            _poly(PROCESS, "handlers.echo"),
            _poly(HYBRID, "handlers.echo_async"),
            _client(8, "--echo"),
        ),
        bars=(at_least(PROCESS, "rate", 4.0), at_least(HYBRID, "rate", 4.0)),
    ),
    _scenario(
        "memory-64",
        "Memory of 64 slots, a handler that waits 50 ms",
        64,
        kind="memory",
        subjects=(
            _ric("handlers_io.query"),
            *_tasks("handlers_io_async.query"),
            _poly(HYBRID, "handlers_io_async.query"),
        ),
        bars=tuple(at_most(name, "pss", 1 / 8) for name in (TASK, TASK_ASYNCIO)),
    ),
    _scenario(
        "memory-64-boto3",
        "Memory of 64 slots, the same in a module that makes one boto3 client",
        64,
        kind="memory",
        subjects=(
            _ric("handlers_boto3.query"),
            *_tasks("handlers_boto3_async.query"),
            _poly(HYBRID, "handlers_boto3_async.query"),
        ),
        bars=tuple(at_most(name, "pss", 1 / 30) for name in (TASK, TASK_ASYNCIO)),
    ),
    _scenario(
        "memory-64-256",
        "Memory from 64 to 256 slots, an async handler that waits 50 ms",
        64,
        kind="memory",
        subjects=_growth("handlers_io_async.query", 64, 256),
        bars=tuple(at_most(_at(name, 256), "added_kib", 64, absolute=True) for name in (TASK, TASK_ASYNCIO)),
    ),
    _scenario(
        "memory-16-preload",
        "Memory of 16 processes, a module with 60 MB of data",
        16,
        kind="memory",
        subjects=(
            _ric("handlers_60mb.lookup"),
            _poly(PROCESS, "handlers_60mb.lookup"),
            _poly(PRELOAD, "handlers_60mb.lookup"),
        ),
        bars=(at_most(PRELOAD, "pss", 1 / 5),),
    ),
    _starts(8, _poly(PROCESS, "handlers.noop"), _poly(TASK, "handlers.noop_async")),
    _starts(64, *_tasks("handlers.noop_async"), *_hybrids("handlers.noop_async")),
    Scenario(
        "one-slot",
        "One slot: `LambdaManagedRuntime` beside `LambdaRuntime`, no-op",
        "small",
        group="concurrent",
        subjects=tuple(
            _program(runtime_class, handler, loop=loop)
            for handler, loop in (("noop", ""), ("noop_async", "uvloop"), ("noop_async", "asyncio"))
            for runtime_class in ("LambdaRuntime", "LambdaManagedRuntime")
        ),
        # Two runs of the same program differ by as much as this allows.
        bars=tuple(
            at_least(f"LambdaManagedRuntime, {form}", "rate", 0.97) for form in ("sync handler", "uvloop", "asyncio")
        ),
    ),
    _emulator(8, _poly(PROCESS, "handlers_io.query"), _poly(TASK, "handlers_io_async.query")),
    _emulator(64, _poly(TASK, "handlers_io_async.query"), _poly(HYBRID, "handlers_io_async.query")),
)
