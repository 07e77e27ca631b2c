"""One invocation without a server: start the runtime, run one event, end."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from polylambda.local.answers import BadAnswer, Prelude
from polylambda.local.screen import Screen
from polylambda.local.environment import Environment
from polylambda.local.function import Function
from polylambda.local.options import configuration, runtime_environment
from polylambda.rapi.headers import HTTP_INTEGRATION, JSON
from polylambda.server.broker import Invocation, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

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
        options: timeout, env file and handler count, the rest is for servers.
        payload: the event, JSON.
        client_context: JSON, for `context.client_context`.
        stream: write the pieces of the response as they come, instead of all at the end.

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
                printer = _Printer(sys.stdout.buffer, screen, response, immediate=stream)
                await printer.print(run)
        except asyncio.CancelledError:
            environment.give_up()
            raise
        if response.outcome is Outcome.TIMEOUT:
            environment.give_up()
    return _STATUS[response.outcome]


class _Problems:
    """Passes on what went wrong, and nothing else."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def event(self, text: str) -> None:
        pass

    def problem(self, text: str) -> None:
        self._screen.problem(text)


class _Printer:
    """Writes a response for a person or a pipe: the body to `out`, an HTTP prelude and a late error to the screen."""

    def __init__(self, out: BinaryIO, screen: Screen, response: Response, *, immediate: bool) -> None:
        self._out = out
        self._screen = screen
        self._response = response
        self._immediate = immediate
        self._last = b""

    async def print(self, run: Run) -> None:
        response = self._response
        prelude = Prelude() if response.content_type == HTTP_INTEGRATION else None
        async for chunk in run:
            body = chunk
            if prelude is not None:
                try:
                    found = prelude.receive(chunk)
                except BadAnswer as problem:
                    self._screen.problem(str(problem))
                    break
                if found is None:
                    continue
                head, body = found
                prelude = None
                self._screen.event(f"HTTP {head.status}")
                for name, value in head.headers:
                    self._screen.event(f"{name.decode()}: {value.decode('latin-1')}")
            self._write(body)
        if self._last != b"\n" and (self._out.isatty() or response.content_type.startswith(JSON)):
            self._write(b"\n")
        self._out.flush()
        if response.streamed and response.error_type is not None:
            self._screen.problem(f"the stream broke off: {response.error_type}")
            self._screen.output(response.error_body)

    def _write(self, data: bytes) -> None:
        if data:
            self._last = data[-1:]
            self._out.write(data)
            if self._immediate:
                self._out.flush()
