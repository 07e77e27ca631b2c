"""Running an artifact before it is uploaded: under our Runtime API, with nothing around it that Lambda does not have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from polylambda.local.answers import BadAnswer, Head, Prelude, buffered, has_prelude
from polylambda.local.environment import Environment
from polylambda.local.function import Function
from polylambda.package.diagnosis import lacks_boto3
from polylambda.package.layout import give_back, lay_out
from polylambda.package.surroundings import add_boto3, surroundings_of
from polylambda.server.broker import Invocation, Outcome
from polylambda.server.function import FunctionConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.package.surroundings import Surroundings
    from polylambda.server.process import OutputLine, Stream

_STATUS_CODE = re.compile(rb'^\s*\{.*"statusCode"', re.DOTALL)


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
        body: of the response, without its HTTP prelude.
        head: what the response says to HTTP callers: that of a prelude, or of a result with a `statusCode`.
        error: what the platform would be told, empty when nothing failed: `errorType`, `errorMessage`.
        written: names of the files that were written where Lambda lets nobody write.
        note: on what it ran.
    """

    started: bool
    outcome: Outcome | None = None
    body: bytes = b""
    head: Head | None = None
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
            python = laid.label.python if laid.label is not None else request.python
            tried = _run_as_lambda_would(request, around, str(laid.task), python, on_output)
            after = laid.state()
        finally:
            give_back(folder)
    written = tuple(sorted(name for name in after if after[name] != before.get(name)))
    return replace(tried, written=written)


def _run_as_lambda_would(
    request: Request, around: Surroundings, task: str, python: str, on_output: OutputLine
) -> Tried:
    """Run it, and once more with boto3 if it turns out that it counts on the runtime's."""
    held: list[tuple[Stream, bytes]] = []

    def hold(stream: Stream, line: bytes) -> None:
        held.append((stream, line))

    tried = asyncio.run(_run(request, around, task, hold))
    if around.runtime is not None and lacks_boto3(tried.error):
        around = add_boto3(around, python)
        tried = asyncio.run(_run(request, around, task, on_output))
    else:
        for line in held:
            on_output(*line)
    return replace(tried, note=around.note)


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
        if response.outcome is not Outcome.SUCCESS:
            return Tried(started=True, outcome=response.outcome, error=_error(response.error_body or body))
        return _answered(body, response.content_type)


def _answered(body: bytes, content_type: str) -> Tried:
    """Take an answer apart, as a function URL does; one that is not for HTTP callers stays as it is."""
    head = None
    if has_prelude(content_type):
        prelude = Prelude()
        try:
            found = prelude.receive(body)
        except BadAnswer as problem:
            return _bad(problem)
        if found is None:
            return _bad(prelude.end())
        head, body = found
    elif _STATUS_CODE.match(body):
        with contextlib.suppress(BadAnswer):  # then it is something else
            head = buffered(body).head
    return Tried(started=True, outcome=Outcome.SUCCESS, body=body, head=head)


def _bad(problem: BadAnswer) -> Tried:
    return Tried(started=True, outcome=Outcome.ERROR, error={"errorMessage": str(problem)})


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
