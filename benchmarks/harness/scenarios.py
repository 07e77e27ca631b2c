"""What is compared with what: the subjects, the events they get, and the bars that polylambda has to reach."""

from __future__ import annotations

import functools
import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

PRODUCTION = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
NOOP_RESULT = {"statusCode": 200}


@dataclass(frozen=True)
class Subject:
    """A runtime with a handler. `runtime` is a module to run with -m, or "client": the C program."""

    name: str
    runtime: str
    handler: str
    environment: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Bar:
    """What a subject has to reach, as a ratio to the baseline: at least, or at most."""

    subject: str
    metric: str
    ratio: float
    at_least: bool


@dataclass(frozen=True)
class Scenario:
    """Subjects that get the same events in turn; the first one is the baseline."""

    name: str
    title: str
    event: str
    subjects: tuple[Subject, ...]
    bars: tuple[Bar, ...]
    starts_only: bool = False

    @property
    def baseline(self) -> Subject:
        return self.subjects[0]

    def event_text(self) -> str:
        """Return the event, JSON."""
        return _event_text(self.event)

    def expected_result(self) -> Any:
        """Return what a right answer decodes to."""
        return NOOP_RESULT if self.event == "small" else json.loads(self.event_text())

    def only(self, names: list[str]) -> Scenario:
        """Keep the baseline and the subjects whose names begin with one of these."""
        kept = tuple(
            subject for subject in self.subjects if subject is self.baseline or subject.name.startswith(tuple(names))
        )
        bars = tuple(bar for bar in self.bars if bar.subject in {subject.name for subject in kept})
        return replace(self, subjects=kept, bars=bars)


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
    return Bar(subject, "rate", ratio, at_least=True)


SCENARIOS = (
    Scenario(
        "noop-sync",
        "No-op, sync handler",
        "small",
        (_ric(), _ric_production(), _poly("handlers.noop"), _client(), _client("--pipeline")),
        (_rate("polylambda", 2.5), Bar("polylambda", "cpu", 0.4, at_least=False)),
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
        (Bar("polylambda", "start", 1.0, at_least=False),),
        starts_only=True,
    ),
    Scenario(
        "start-async",
        "Start to first poll, async handler",
        "small",
        (_ric_asyncio(), _poly_async("uvloop"), _poly_async("asyncio")),
        (
            Bar("polylambda async, uvloop", "start", 1.0, at_least=False),
            Bar("polylambda async, asyncio", "start", 1.0, at_least=False),
        ),
        starts_only=True,
    ),
)

_SIZES = {"100k": 100_000, "5m": 5_000_000}
_CITIES = ("Lisboa", "Malmö", "Kraków", "Zürich", "Gent", "Reykjavík", "大阪", "Boston")
_WORDS = ("express", "fragile", "gift", "insured", "monthly", "oversize", "prepaid", "return", "weekend")


@functools.cache
def _event_text(name: str) -> str:
    """Return an event by name: `small`, `100k` or `5m`; the large ones are arrays of order records."""
    if name == "small":
        return '{"name": "Ada", "count": 3, "tags": ["first", "second"]}'
    chance = random.Random(name)
    records: list[str] = []
    length = 0
    while length < _SIZES[name]:
        text = json.dumps(_order(chance, len(records)), ensure_ascii=False, separators=(",", ":"))
        records.append(text)
        length += len(text.encode()) + 1
    return f"[{','.join(records)}]"


def _order(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "orderId": f"{chance.getrandbits(64):016x}",
        "number": number,
        "createdAt": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T08:15:00.000Z",
        "customer": {"id": chance.randint(1, 10**6), "city": chance.choice(_CITIES), "vip": chance.random() < 0.1},
        "lines": [
            {"sku": f"SKU-{chance.randint(0, 99999):05}", "quantity": chance.randint(1, 9), "price": _price(chance)}
            for _ in range(chance.randint(1, 4))
        ],
        "tags": chance.sample(_WORDS, 3),
        "note": None if chance.random() < 0.5 else 'Leave it with the "neighbour"\nif nobody is in.',
        "weight": round(chance.uniform(0.1, 30), 3),
    }


def _price(chance: random.Random) -> float:
    return round(chance.uniform(1, 200), 2)
