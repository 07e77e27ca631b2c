"""The local server from start to stop.

The function runs in a process of its own, also when it is the very program that asked for the local server: that one
is started again with AWS_LAMBDA_RUNTIME_API set, so that what runs here is what runs on Lambda, and a change of its code
takes nothing but another start.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import polylambda
from polylambda.local import http
from polylambda.local.app import LocalApp
from polylambda.local.environment import Environment
from polylambda.local.function import Function
from polylambda.local.options import configuration, runtime_environment
from polylambda.local.screen import Screen
from polylambda.local.signals import handling_signals
from polylambda.local.watch import watching
from polylambda.server.broker import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Literal

    from polylambda.local.function import Run
    from polylambda.local.options import Options

FORCED = 130
"""Exit status after a second Ctrl-C."""


def serve(command: Sequence[str], options: Options) -> None:
    """Serve the function that `command` runs, until Ctrl-C or SIGTERM; what is under way is finished first.

    Raises:
        ConfigurationError: an option cannot be followed, such as a port that is in use.
        SystemExit: a second Ctrl-C did not let the end be waited for.
    """
    if not asyncio.run(_serve(command, options)):
        raise SystemExit(FORCED)


async def _serve(command: Sequence[str], options: Options) -> bool:
    """Serve; return whether the end was waited for."""
    screen = Screen(sys.stdout)
    server = LocalServer(command, options, screen)
    stop = asyncio.Event()
    serving = asyncio.current_task()
    assert serving is not None

    def interrupt() -> None:
        if stop.is_set():
            server.give_up()
            serving.cancel()
        stop.set()

    with handling_signals(interrupt), contextlib.suppress(asyncio.CancelledError):
        async with server:
            await stop.wait()
            if server.function.busy:
                screen.event("finishing what is under way; Ctrl-C again ends it at once")
        return True
    return False


class LocalServer:
    """One function behind HTTP: `async with LocalServer(command, options, screen) as server: server.url`.

    Attributes:
        url: where it is reached, without a slash at the end.
        function: the function that it serves.
    """

    def __init__(self, command: Sequence[str], options: Options, screen: Screen) -> None:
        """Describe the server.

        Args:
            command: what to run as the function's runtime.
            options: everything else.
            screen: shows the developer what happens.

        Raises:
            ConfigurationError: the env file cannot be read.
        """
        configured = configuration(runtime_environment(options), options)
        options = replace(options, concurrency=configured.max_concurrency)
        self._command = command
        self._options = options
        self._screen = screen
        self._environment = Environment(
            command,
            configured,
            environ=lambda: runtime_environment(options),
            observer=screen,
            on_output=self._output,
            queue_limit=options.limit,
        )
        self.url = ""
        self.function = Function(
            configured,
            self._environment,
            timeout=options.timeout,
            limit=options.limit,
            on_end=self._invocation_ended,
        )
        self._http: http.HttpServer | None = None
        self._owned = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen, start the runtime, and serve.

        Raises:
            ConfigurationError: the port cannot be listened on, or the command cannot be run.
        """
        options = self._options
        sock = http.listen(options.host, options.port)
        self.url = http.url(sock)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(sock.close)
            await stack.enter_async_context(self._environment)
            self._greet()  # before anything else can be told of the runtime
            if options.watch:
                await stack.enter_async_context(watching(options, self._changed))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            app = LocalApp(self.function, tasks, endpoint=options.endpoint, on_defect=self._defect)
            self._http = http.HttpServer(app, sock)
            tasks.create_task(self._http.run_until_stopped(), name="HTTP server")
            stack.callback(self._http.stop)
            self._owned = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is under way, then end the runtime."""
        await self._owned.__aexit__(kind, error, trace)

    def give_up(self) -> None:
        """Do not wait for anything when it ends."""
        self._environment.give_up()
        if self._http is not None:
            self._http.force()

    def _greet(self) -> None:
        what = self._options.handler or shlex.join(self._command)
        self._screen.banner(f"polylambda {polylambda.__version__} serves {what}", _ways_in(self, self._options))

    def _changed(self, sentence: str) -> None:
        self._screen.event(sentence)
        self._environment.renew()

    def _output(self, stream: Literal["stdout", "stderr"], line: bytes) -> None:
        self.function.log_tail.add(line)
        self._screen.output(line)

    def _invocation_ended(self, run: Run) -> None:
        self._screen.invocation(run)
        if run.outcome is Outcome.TIMEOUT and self._options.concurrency in (None, 1):
            self._screen.event("killing the runtime, which is stuck in that invocation; a new one starts")
            self._environment.renew(stuck=True)

    def _defect(self, error: Exception) -> None:
        self._screen.problem("a defect of polylambda's local server; please report it with these lines")
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._screen.output(line.encode())


def _ways_in(server: LocalServer, options: Options) -> dict[str, str]:
    name = server.function.configuration.name
    return {
        "invoke": f'curl -d \'{{"name": "world"}}\' {server.url}{options.endpoint}',
        "function URL": f"curl {server.url}/any/path",
        "AWS CLI, SDKs": f"aws lambda invoke --endpoint-url {server.url} --function-name {name} out.json",
        "at a time": "1 invocation" if options.concurrency in (None, 1) else f"{options.concurrency} invocations",
        "reload": f"on changes in {', '.join(map(str, options.watch))}" if options.watch else "off",
        "stop": "Ctrl-C",
    }
