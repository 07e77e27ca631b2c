"""A web application's runtime under load: a Runtime API in this process, callers that wait for their answers, figures."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.environment import BENCHMARKS, CHECKOUT, BenchmarkError
from harness.processes import Runtime
from polylambda.local import urls
from polylambda.server.broker import Broker, Invocation, Outcome
from polylambda.server.environment import RuntimeApi
from polylambda.server.function import FunctionConfiguration

_STREAM = 0.1  # seconds that one takes: PAUSE of web_app.py
_WARM_STREAMS = 3  # of each caller
_LEAST_STREAMS = 10  # of each caller, however many they are
_PATIENCE = 120.0  # seconds until all slots of a runtime poll
_HEADERS = (
    ("host", "abc.lambda-url.eu-west-1.on.aws"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate, br"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"),
    ("x-amzn-trace-id", "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"),
    ("authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"),
)
_ANSWER = {"id": 7, "name": "item 7 x", "tags": ["one", "two"], "price": 9.99}


@dataclass(frozen=True)
class Subject:
    """What runs the application.

    Attributes:
        name: for the report.
        handler: of the application, for `module` to run; None: uvicorn and the stand-in for the adapter run it.
        module: the runtime, as in `python -m`.
        streaming: handler for the stream; None: the same, which sends it whole.
        mode: concurrency mode of polylambda.
    """

    name: str
    module: str = ""
    handler: str = ""
    streaming: str = ""
    mode: str = ""


@dataclass
class Load:
    """What the callers saw, and what the runtime took."""

    rate: float
    p50: float
    p99: float
    cpu: float
    pss: float

    @property
    def rate_per_mib(self) -> float:
        return self.rate / self.pss


def event(path: str, query: str = "") -> bytes:
    """Return the event of a function URL for a browser's GET."""
    request = urls.Request(method="GET", target=path, query=query, headers=_HEADERS, source_ip="192.0.2.1")
    return urls.payload(request, request_id="5eed", now=time.time())


class Bench:
    """Runs subjects, each with a Runtime API of its own."""

    def __init__(self, adapter: Path, *, warmup: float, seconds: float, streams: int) -> None:
        self._adapter = adapter
        self._warmup = warmup
        self._seconds = seconds
        self._streams = streams

    async def load(self, subject: Subject, slots: int) -> Load:
        """Keep `slots` callers busy, each with one request at a time."""
        payload = event("/items/7", "q=x")
        async with self._running(subject, slots, streaming=False) as (broker, runtime):
            _check(await _call(broker, payload))
            await self._keep_busy(broker, payload, slots, self._warmup)
            before = runtime.cpu_ns()
            latencies, elapsed = await self._keep_busy(broker, payload, slots, self._seconds)
            cpu = runtime.cpu_ns() - before
            pss, _ = runtime.memory_kib()
        cuts = statistics.quantiles(latencies, n=100)
        return Load(
            rate=len(latencies) / elapsed,
            p50=statistics.median(latencies) * 1e3,
            p99=cuts[98] * 1e3,
            cpu=cpu / len(latencies) / 1e3,
            pss=pss / 1024,
        )

    async def first_bytes(self, subject: Subject, slots: int) -> list[float]:
        """Return milliseconds from the application's first send to its arrival, for streams of `slots` callers.

        Each caller has one stream at a time, and some to warm up. They begin one after the other within the length of a
        stream, so that the streams are spread over time.
        """
        payload = event("/stream")
        times: list[float] = []
        async with self._running(subject, slots, streaming=True) as (broker, _):

            async def caller(number: int) -> None:
                await asyncio.sleep(_STREAM * number / slots)
                for turn in range(_WARM_STREAMS + max(self._streams // slots, _LEAST_STREAMS)):
                    taken = await _first_byte(broker, payload)
                    if turn >= _WARM_STREAMS:
                        times.append(taken)

            await asyncio.gather(*(caller(number) for number in range(slots)))
        return times

    async def _keep_busy(
        self, broker: Broker, payload: bytes, callers: int, seconds: float
    ) -> tuple[list[float], float]:
        began = time.monotonic()
        end = began + seconds
        latencies: list[float] = []

        async def caller() -> None:
            while (now := time.monotonic()) < end:
                await _call(broker, payload)
                latencies.append(time.monotonic() - now)

        await asyncio.gather(*(caller() for _ in range(callers)))
        return latencies, time.monotonic() - began

    @asynccontextmanager
    async def _running(self, subject: Subject, slots: int, *, streaming: bool) -> AsyncIterator[tuple[Broker, Runtime]]:
        """Start a Runtime API and the runtime, and wait until all its slots poll."""
        function = FunctionConfiguration(
            name="benchmark",
            memory_size=1769,
            task_root=str(BENCHMARKS),
            initialization_type="lambda-managed-instances" if slots > 1 else "on-demand",
            max_concurrency=slots if slots > 1 else None,
        )
        broker = Broker(queue_limit=1000)
        async with RuntimeApi(broker, function=function) as api:
            environment = {
                **function.environment_variables(api.address),
                "LANG": "C.UTF-8",
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{CHECKOUT / 'src'}:{BENCHMARKS}",
            }
            command = self._command(subject, slots, streaming, environment)
            runtime = await asyncio.to_thread(Runtime, command, environment, BENCHMARKS, frozenset(_cores()))
            try:
                await _all_poll(broker, slots, runtime, subject)
                yield broker, runtime
            finally:
                broker.close()
                await asyncio.to_thread(runtime.__exit__)

    def _command(self, subject: Subject, slots: int, streaming: bool, environment: dict[str, str]) -> list[str]:
        if not subject.module:
            port = _free_port()
            uvicorn = [sys.executable, "-m", "uvicorn", "web_app:app", "--port", str(port), "--log-level", "warning"]
            adapter = [str(self._adapter), "--port", str(port), "--slots", str(slots)]
            if streaming:
                adapter.append("--stream")
            return ["/bin/sh", "-c", f"{shlex.join(uvicorn)} & exec {shlex.join(adapter)}"]
        handler = subject.streaming if streaming and subject.streaming else subject.handler
        environment["_HANDLER"] = handler
        if subject.mode and slots > 1:
            environment["AWS_LAMBDA_CONCURRENCY_MODE"] = subject.mode
        return [sys.executable, "-m", subject.module, handler]


async def _all_poll(broker: Broker, slots: int, runtime: Runtime, subject: Subject) -> None:
    end = time.monotonic() + _PATIENCE
    while len(broker._polls) < slots:  # noqa: SLF001 # nobody but a benchmark has to know
        if runtime.ended():
            raise BenchmarkError(f"{subject.name} ended:\n{runtime.output()}")
        if time.monotonic() > end:
            raise BenchmarkError(f"{subject.name}: {slots} slots do not poll:\n{runtime.output()}")
        await asyncio.sleep(0.02)


async def _first_byte(broker: Broker, payload: bytes) -> float:
    """Take a whole stream, and return milliseconds from the application's first send to its arrival."""
    response = await broker.invoke(Invocation(payload=payload, timeout=60))
    sent = arrived = 0
    body = b""
    async for chunk in response:
        body += chunk
        if not arrived and (sent := _time_in(body)):
            arrived = time.monotonic_ns()
    if response.outcome is not Outcome.SUCCESS or not arrived:
        raise BenchmarkError(f"a stream failed: {body[:500]!r}")
    return (arrived - sent) / 1e6


async def _call(broker: Broker, payload: bytes) -> bytes:
    response = await broker.invoke(Invocation(payload=payload, timeout=60))
    body = await response.read()
    if response.outcome is not Outcome.SUCCESS:
        raise BenchmarkError(f"an invocation failed: {body[:1000]!r}")
    return body


def _check(body: bytes) -> None:
    told: dict[str, Any] = json.loads(body)
    text = base64.b64decode(told["body"]) if told.get("isBase64Encoded") else told["body"]
    if told["statusCode"] != 200 or json.loads(text) != _ANSWER:
        raise BenchmarkError(f"the answer is not what it should be: {body[:500]!r}")


def _time_in(body: bytes) -> int:
    """The time that the application has sent, in a stream behind its prelude or in a whole answer."""
    head, end, rest = body.partition(b"\0" * 8)
    if not end:
        if not head.endswith(b"}") or b'"body"' not in head:
            return 0
        rest = json.loads(head)["body"].encode()
    line, end, _ = rest.partition(b"\n")
    return int(line) if end else 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _cores() -> list[int]:
    import os

    return sorted(os.sched_getaffinity(0))[:2]
