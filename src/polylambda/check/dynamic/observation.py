"""One run, observed: the events go in by the Runtime API, and what came of it is collected."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from polylambda.check.dynamic.marks import Marks
from polylambda.server.broker import Broker
from polylambda.server.environment import RuntimeApi
from polylambda.server.errors import BrokerClosed
from polylambda.server.function import FunctionConfiguration
from polylambda.server.invocation import Invocation, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polylambda.check.dynamic.assignment import Assignment
    from polylambda.check.dynamic.forks import Forks

_GRACE = 5.0  # seconds for the end of a run
_SETTINGS = {
    "POLYLAMBDA_LOOP": "asyncio",
    "POLYLAMBDA_POLL_FIRST": "off",  # connections that come while it runs would count as the function's
    "POLYLAMBDA_CANCEL_AT_DEADLINE": "off",
    "POLYLAMBDA_SHUTDOWN_GRACE": "3600",  # on a clock that is set ahead
    "POLYLAMBDA_REGISTER_EXTENSION": "off",
}


@dataclass(slots=True)
class Answer:
    """What an invocation answered.

    Attributes:
        body: the whole of it.
        error: AWS's error object; None when it succeeded.
    """

    body: bytes
    error: dict[str, Any] | None


@dataclass(slots=True)
class Observation:
    """What came of a run.

    Attributes:
        answers: by invocation; one that was never answered is missing.
        asked: how many invocations there were to be.
        notes: what was seen in the process, in order.
        status: exit status of the process; None: it was killed.
        init_error: AWS's error object when the handler could not be loaded.
        output: what it wrote to stdout and stderr.
        seconds: that the invocations took, all together.
        left: files and folders that invocations created and did not remove: the notes, by path.
    """

    answers: dict[int, Answer] = field(default_factory=dict[int, Answer])
    asked: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    status: int | None = None
    init_error: dict[str, Any] | None = None
    output: str = ""
    seconds: float = 0.0
    left: dict[str, Any] = field(default_factory=dict[str, Any])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the notes of one kind."""
        return [note for note in self.notes if note["kind"] == kind]

    @property
    def is_broken(self) -> bool:
        """The process hung, or ended before it had answered everything."""
        return len(self.answers) < self.asked


async def observe(
    forks: Forks,
    assignment: Assignment,
    waves: Sequence[Sequence[int]],
    payload: Callable[[int], bytes],
    until: float,
) -> Observation:
    """Run the handler in a new process, and wait for its end.

    Args:
        forks: gives the process.
        assignment: what it is to do.
        waves: the invocations; those of a wave are under way at the same time.
        payload: gives the event of an invocation.
        until: when it has to be over, on the event loop's clock.

    Raises:
        TimeoutError: it was not.
    """
    seen = Observation(asked=sum(map(len, waves)))
    marks = Marks(assignment.seed)
    function = FunctionConfiguration(
        handler=assignment.target,
        task_root=assignment.root,
        initialization_type="lambda-managed-instances",
        max_concurrency=assignment.slots,
    )
    broker = Broker()
    os.makedirs(assignment.temporary, exist_ok=True)
    async with RuntimeApi(broker, function=function) as api:
        variables = function.environment_variables(api.address) | _SETTINGS | {"TMPDIR": assignment.temporary}
        await forks.start(replace(assignment, environ=variables))
        end = asyncio.create_task(forks.ended())
        end.add_done_callback(lambda _: api.runtime_exited("the process has ended"))
        try:
            async with asyncio.timeout_at(until):
                if await api.ready():
                    await _invoke(seen, broker, waves, marks, payload, assignment.longest + _GRACE)
                elif api.init_error is not None:
                    seen.init_error = _error(api.init_error[1])
        finally:
            await _finish(seen, forks, end)
            broker.close()
    _read(seen, assignment)
    return seen


async def _invoke(
    seen: Observation,
    broker: Broker,
    waves: Sequence[Sequence[int]],
    marks: Marks,
    payload: Callable[[int], bytes],
    patience: float,
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def invoke(number: int) -> None:
        invocation = Invocation(
            payload=payload(number),
            request_id=marks.request_id(number),
            trace_id=f"Root=1-{0:08x}-{number:012x}{marks.of(number)};Parent={number:016x};Sampled=0",
            timeout=patience,
        )
        response = await broker.invoke(invocation)
        body = b"".join([piece async for piece in response])
        if response.outcome is Outcome.SUCCESS:
            seen.answers[number] = Answer(body, None)
        elif response.outcome is Outcome.ERROR:
            seen.answers[number] = Answer(body if response.streamed else b"", _error(response.error_body or body))
        else:
            raise BrokerClosed("the process has ended")

    for wave in waves:
        outcomes = await asyncio.gather(*map(invoke, wave), return_exceptions=True)
        if any(isinstance(outcome, BaseException) for outcome in outcomes):
            break
    seen.seconds = loop.time() - began


async def _finish(seen: Observation, forks: Forks, end: asyncio.Task[int]) -> None:
    if not end.done():
        with suppress(ProcessLookupError):
            forks.stop()
        await asyncio.wait([end], timeout=_GRACE)
    if not end.done():
        forks.kill()
    status = await end
    seen.status = status


def _error(payload: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(payload)
    except ValueError:
        found = None
    return (
        cast("dict[str, Any]", found)
        if isinstance(found, dict)
        else {"errorType": "Unknown", "errorMessage": payload.decode(errors="replace")}
    )


def _read(seen: Observation, assignment: Assignment) -> None:
    with suppress(OSError), open(assignment.notes, encoding="utf-8") as notes:
        seen.notes = [json.loads(line) for line in notes if line.endswith("\n")]
    with suppress(OSError), open(assignment.output, encoding="utf-8", errors="replace") as output:
        seen.output = output.read()
