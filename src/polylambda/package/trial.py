"""Running an artifact before it is uploaded: under our Runtime API, with nothing around it that Lambda does not have."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from polylambda.local.environment import Environment
from polylambda.local.function import Function
from polylambda.package.layout import give_back, lay_out
from polylambda.package.surroundings import surroundings_of
from polylambda.server.broker import Invocation, Outcome
from polylambda.server.function import FunctionConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.package.surroundings import Surroundings
    from polylambda.server.process import OutputLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be tried.

    Attributes:
        artifact: zip file, folder of an image, or folder with what is to be /var/task.
        layers: zip files for /opt.
        event: JSON; None: the function is only started.
        handler: its name, when the artifact does not tell.
        python: version of Python, when the artifact does not tell.
        variables: environment variables of the function, beyond those that Lambda gives.
        timeout: seconds that the start, and then the invocation, may take.
    """

    artifact: Path
    layers: tuple[Path, ...] = ()
    event: bytes | None = None
    handler: str
    python: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How it went.

    Attributes:
        started: the runtime came as far as its first poll.
        outcome: of the invocation; None: there was none.
        body: of the response.
        error: what the platform would be told, empty when nothing failed: `errorType`, `errorMessage`.
        written: names of the files that were written where Lambda lets nobody write.
        note: on what it ran.
    """

    started: bool
    outcome: Outcome | None = None
    body: bytes = b""
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])
    written: tuple[str, ...] = ()
    note: str = ""


def run_trial(request: Request, on_output: OutputLine) -> Tried:
    """Lay the artifact out and run it.

    Args:
        request: what to try.
        on_output: is given each line that the function writes.

    Raises:
        ConfigurationError: it cannot be tried on this machine, or there is no such artifact.
    """
    with tempfile.TemporaryDirectory(prefix="polylambda-check-") as name:
        folder = Path(name).resolve()
        try:
            laid = lay_out(request.artifact, request.layers, folder)
            around = surroundings_of(laid, folder, handler=request.handler, python=request.python)
            before = laid.state()
            tried = asyncio.run(_run(request, around, str(laid.task), on_output))
            after = laid.state()
        finally:
            give_back(folder)
    written = tuple(sorted(name for name in after if after[name] != before.get(name)))
    return replace(tried, written=written, note=around.note)


async def _run(request: Request, around: Surroundings, task: str, on_output: OutputLine) -> Tried:
    configuration = FunctionConfiguration(handler=around.handler, task_root=task)
    environment = Environment(
        around.command,
        configuration,
        environ=lambda: {**around.variables, **request.variables},
        observer=_Silent(),
        on_output=on_output,
        queue_limit=1,
    )
    async with environment:
        try:
            async with asyncio.timeout(request.timeout):
                error = await environment.init_error()
        except TimeoutError:
            environment.give_up()
            message = f"the function was not ready after {request.timeout:g} seconds"
            return Tried(started=False, error={"errorType": "Sandbox.Timedout", "errorMessage": message})
        if error is not None:
            return Tried(started=False, error=error)
        if request.event is None:
            return Tried(started=True)
        function = Function(configuration, environment, timeout=request.timeout, limit=1)
        invocation = Invocation(payload=request.event, timeout=request.timeout, invoked_function_arn=configuration.arn)
        async with function.run(invocation, "check") as (run, response):
            body = await run.read()
        if response.outcome is Outcome.TIMEOUT:
            environment.give_up()
        failed = response.outcome is not Outcome.SUCCESS
        told: Mapping[str, Any] = _error(response.error_body or body) if failed else {}
        return Tried(started=True, outcome=response.outcome, body=body, error=told)


class _Silent:
    """What happens to the runtime is in the result."""

    def event(self, text: str) -> None:
        pass

    def problem(self, text: str) -> None:
        pass


def _error(body: bytes) -> Mapping[str, Any]:
    """Return what the platform would be told of a failed invocation."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {"errorMessage": body.decode("utf-8", "replace")}
