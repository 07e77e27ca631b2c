"""What is compared with what: the scenarios of one invocation at a time, and the list of all scenarios."""

from __future__ import annotations

from harness.concurrent import CONCURRENT
from harness.scenario import PRODUCTION, Bar, Scenario, Subject, at_least, at_most


def _ric(handler: str = "handlers.noop") -> Subject:
    return Subject("awslambdaric", "awslambdaric", handler)


def _ric_production(handler: str = "handlers.noop") -> Subject:
    return Subject("awslambdaric, production", "awslambdaric", handler, PRODUCTION)


def _ric_asyncio(name: str = "awslambdaric, asyncio.run") -> Subject:
    return Subject(name, "awslambdaric", "handlers_asyncio.noop_run")


def _poly(handler: str, name: str = "polylambda") -> Subject:
    return Subject(name, "polylambda", handler)


def _poly_async(loop: str, handler: str = "handlers.noop_async") -> Subject:
    return Subject(f"polylambda async, {loop}", "polylambda", handler, {"POLYLAMBDA_LOOP": loop})


def _client(*arguments: str) -> Subject:
    name = "C client, one write" if "--pipeline" in arguments else "C client"
    return Subject(name, "client", " ".join(arguments))


def _rate(subject: str, ratio: float) -> Bar:
    return at_least(subject, "rate", ratio)


SINGLE = (
    Scenario(
        "noop-sync",
        "No-op, sync handler",
        "small",
        (_ric(), _ric_production(), _poly("handlers.noop"), _client(), _client("--pipeline")),
        (_rate("polylambda", 2.5), at_most("polylambda", "cpu", 0.4)),
    ),
    Scenario(
        "noop-async",
        "No-op, async handler (awslambdaric: the sync one)",
        "small",
        (_ric(), _ric_asyncio(), _poly_async("uvloop"), _poly_async("asyncio")),
        (_rate("polylambda async, uvloop", 2.0), _rate("polylambda async, asyncio", 1.3)),
    ),
    Scenario(
        "echo-100k",
        "Echo of a JSON array of 100 KB",
        "100k",
        (
            _ric("handlers.echo"),
            _ric_production("handlers.echo"),
            _poly("handlers.echo"),
            _poly_async("uvloop", "handlers.echo_async"),
            _client("--echo"),
        ),
        (_rate("polylambda", 4.0),),
    ),
    Scenario(
        "echo-5m",
        "Echo of a JSON array of 5 MB",
        "5m",
        (
            _ric("handlers.echo"),
            _ric_production("handlers.echo"),
            _poly("handlers.echo"),
            _poly_async("uvloop", "handlers.echo_async"),
            _client("--echo"),
        ),
        (_rate("polylambda", 2.5),),
    ),
    Scenario(
        "bytes-5m",
        "The same 5 MB through a handler that takes and returns `bytes` (awslambdaric always decodes JSON)",
        "5m",
        (_ric("handlers.echo"), _poly("handlers.echo_bytes", "polylambda, bytes"), _client("--echo")),
        (_rate("polylambda, bytes", 20.0),),
    ),
    Scenario(
        "start-sync",
        "Start to first poll, sync handler",
        "small",
        (_ric(), _ric_production(), _poly("handlers.noop"), _client()),
        (at_most("polylambda", "start", 1.0),),
        kind="starts",
    ),
    Scenario(
        "start-async",
        "Start to first poll, async handler",
        "small",
        (_ric_asyncio(), _poly_async("uvloop"), _poly_async("asyncio")),
        (
            at_most("polylambda async, uvloop", "start", 1.0),
            at_most("polylambda async, asyncio", "start", 1.0),
        ),
        kind="starts",
    ),
)

SCENARIOS = (*SINGLE, *CONCURRENT)
