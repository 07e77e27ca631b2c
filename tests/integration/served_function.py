"""A function behind the local server, and callers of it, for tests.

The server runs in a thread with a loop of its own, as it would in its own process; the function runs in a real process.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from polylambda.local.options import Options
from polylambda.local.screen import Screen
from polylambda.local.server import LocalServer

PATIENCE = 30  # seconds until a test gives up waiting for something that must happen


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScreenText(io.StringIO):
    """What the developer sees; tests can wait for a text to appear."""

    def __init__(self) -> None:
        super().__init__()
        self._written = threading.Condition()

    def write(self, text: str) -> int:
        with self._written:
            self._written.notify_all()
            return super().write(text)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until `text` was written so many times."""
        with self._written:
            seen = self._written.wait_for(lambda: self.getvalue().count(text) >= times, PATIENCE)
            assert seen, f"{text!r} did not appear {times} times in:\n{self.getvalue()}"


class ServedFunction:
    """The running server, seen from outside."""

    def __init__(self, url: str, screen: ScreenText, callers: ThreadPoolExecutor) -> None:
        self.url = url
        self.screen = screen
        self._host = url.removeprefix("http://")
        self.callers = callers

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=PATIENCE)

    def request(
        self, method: str = "POST", path: str = "/invoke", body: bytes = b"{}", headers: dict[str, str] | None = None
    ) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def invoke(self, event: Any) -> Reply:
        return self.request(body=json.dumps(event).encode())

    def invoke_later(self, event: Any) -> Future[Reply]:
        """Invoke in another thread."""
        return self.callers.submit(self.invoke, event)


@contextlib.contextmanager
def served(command: Sequence[str] | str = "app.handler", **options: Any) -> Iterator[ServedFunction]:
    """Serve a handler of polylambda, or a command, from the working directory."""
    if isinstance(command, str):
        options.setdefault("handler", command)
        command = [sys.executable, "-m", "polylambda", command]
    text = ScreenText()
    before = set(threading.enumerate())
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        try:
            async with LocalServer(command, Options(**{"port": 0, **options}), Screen(text)) as server:
                started.set_result((server.url, asyncio.get_running_loop(), stop))
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    def run() -> None:
        # An exception before the start is raised by `started.result()` below.
        with contextlib.suppress(Exception):
            asyncio.run(serve())

    thread = threading.Thread(target=run, name="local server")
    thread.start()
    try:
        url, loop, stop = started.result(PATIENCE)
        with ThreadPoolExecutor(16) as callers:
            try:
                yield ServedFunction(url, text, callers)
            finally:
                loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the local server does not stop"
        # Outside the main thread, asyncio waits for each child process in a thread, and lets go of it at the very end.
        for waiter in set(threading.enumerate()) - before:
            if waiter.name.startswith("asyncio-waitpid"):
                waiter.join(PATIENCE)
