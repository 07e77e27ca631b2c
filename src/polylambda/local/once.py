"""One invocation without a server: start the runtime, run one event, end."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from polylambda.local.answers import BadAnswer, Prelude, has_prelude
from polylambda.local.environment import Environment
from polylambda.local.function import Function
from polylambda.local.options import configuration, runtime_environment
from polylambda.local.screen import Screen
from polylambda.rapi.headers import JSON
from polylambda.server.broker import Invocation, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from polylambda.local.function import Run
    from polylambda.local.options import Options
    from polylambda.server.broker import Response

SUCCESS = 0
FUNCTION_ERROR = 1
NOT_RUN = 3
"""Exit statuses: the function answered; it returned an error or broke off; it could not start, died or timed out."""

_STATUS = {
    Outcome.SUCCESS: SUCCESS,
    Outcome.ERROR: FUNCTION_ERROR,
    Outcome.TRUNCATED: FUNCTION_ERROR,
    Outcome.TIMEOUT: NOT_RUN,
    Outcome.FAILURE: NOT_RUN,
}


def invoke_once(
    command: Sequence[str], options: Options, payload: bytes, *, client_context: str = "", stream: bool = False
) -> int:
    """Run one event; its result goes to stdout, everything else to stderr. Return the exit status.

    Args:
        command: what to run as the runtime.
        options: timeout, env file, name of the handler; the rest is for servers.
        payload: the event, JSON.
        client_context: JSON, for `context.client_context`.
        stream: write the pieces of the response as they come, instead of the whole at the end.

    Raises:
        ConfigurationError: the command cannot be run, or the env file cannot be read.
    """
    return asyncio.run(_invoke(command, options, payload, client_context, stream))


async def _invoke(command: Sequence[str], options: Options, payload: bytes, client_context: str, stream: bool) -> int:
    screen = Screen(sys.stderr)
    settings = configuration(runtime_environment(options), options)
    environment = Environment(
        command,
        settings,
        environ=lambda: runtime_environment(options),
        observer=_Problems(screen),
        on_output=lambda _, line: screen.output(line),
        queue_limit=1,
    )
    function = Function(settings, environment, timeout=options.timeout, limit=1)
    invocation = Invocation(
        payload=payload,
        timeout=options.timeout,
        invoked_function_arn=settings.arn,
        client_context=client_context,
    )
    async with environment:
        try:
            async with function.run(invocation, "invoke") as (run, response):
                status = await _print(run, response, screen, stream)
        except asyncio.CancelledError:
            environment.give_up()
            raise
        if response.outcome is Outcome.TIMEOUT:
            environment.give_up()
    return status


class _Problems:
    """Passes on what went wrong, and nothing else."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def event(self, text: str) -> None:
        pass

    def problem(self, text: str) -> None:
        self._screen.problem(text)


async def _print(run: Run, response: Response, screen: Screen, stream: bool) -> int:
    """Write the result to stdout, and what else there is to tell to the screen; return the exit status."""
    out = sys.stdout.buffer
    pieces: list[bytes] = []
    last = b""
    try:
        async for piece in _body(run, response, screen):
            last = piece or last
            if stream:
                out.write(piece)
                out.flush()
            else:
                pieces.append(piece)
    except BadAnswer as problem:
        screen.problem(str(problem))
        return FUNCTION_ERROR
    if response.streamed and response.outcome is not Outcome.SUCCESS:
        screen.problem(f"the stream broke off: {response.error_type}")
        if not stream:  # as Invoke does: the error instead of a piece of the result
            pieces = [last := response.error_body]
    out.writelines(pieces)
    if not last.endswith(b"\n") and (out.isatty() or response.content_type.startswith(JSON)):
        out.write(b"\n")
    out.flush()
    return _STATUS[response.outcome]


async def _body(run: Run, response: Response, screen: Screen) -> AsyncIterator[bytes]:
    """Yield the body; an HTTP prelude goes to the screen.

    Raises:
        BadAnswer: the prelude is wrong.
    """
    prelude = Prelude() if has_prelude(response.content_type) else None
    async for chunk in run:
        if prelude is None:
            yield chunk
        elif found := prelude.receive(chunk):
            prelude = None
            head, body = found
            screen.event(f"HTTP {head.status}")
            for name, value in head.headers:
                screen.event(f"{name.decode()}: {value.decode('latin-1')}")
            yield body
    if prelude is not None and response.outcome is Outcome.SUCCESS:
        raise prelude.end()
