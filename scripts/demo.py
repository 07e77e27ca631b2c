"""Shows what polylambda does: `make demo`.

Starts the examples on local servers of their own, one after the other, sends them what AWS would send, and checks
everything that it shows: the exit status is 1 when something is not as promised, and 130 after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.text import Text

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

PATIENCE = 30.0  # seconds, on a machine that is busy with something else
BROKEN, INTERRUPTED = 1, 130

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")

console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class NotAsPromised(Exception):
    """What the demo was about to show is not so."""


def main(scenes: Sequence[Callable[[], None]] | None = None) -> int:
    """Run the demo, or some scenes of it; return its exit status."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        for show in scenes or (existing_function, bad_event, stream, background_work):
            show()
    except NotAsPromised as error:
        console.print(Text(f"\nNot as promised: {error}", "bold red"))
        return BROKEN
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return INTERRUPTED
    console.print(
        Text(f"\nAll of it as promised, and stopped again, in {time.monotonic() - began:.1f} s.", "bold green")
    )
    console.print("The functions are in examples/, each with its README and its tests.")
    return 0


# The scenes


def existing_function() -> None:
    """Send AWS's own events to a function that knows nothing of polylambda."""
    with scene("An existing function, unmodified, answers what AWS sends", "unmodified") as server:
        answer = server.invoke("events/http-api.json")
        promise(answer.json["statusCode"] == 201, "an HTTP API's request creates an order")
        answer = server.invoke("events/sqs.json")
        promise(len(answer.json["batchItemFailures"]) == 1, "one of three SQS messages is no order")
        answer = server.invoke("events/s3.json")
        promise("february 2026.csv" in answer.json["imported"][0], "an S3 notification names the uploaded file")


def bad_event() -> None:
    """Send a typed function an event of another type."""
    with scene("A typed function refuses a bad event, and names the field", "hello_json") as server:
        answer = server.invoke('{"name": "Ada"}')
        promise(answer.json == {"greetings": ["Hello Ada!"]}, "an event that fits is answered")
        answer = server.invoke('{"name": "Ada", "times": "twice"}', show=lambda body: json.loads(body)["errorMessage"])
        promise(answer.status == 500, "one that does not is an error")
        promise("event.times" in answer.json["errorMessage"], "the error names the field")


def stream() -> None:
    """Show the pieces of a stream as they come."""
    with scene("A response arrives in pieces, while it is being written", "streaming") as server:
        answer = server.invoke("events/http-api.json", pieces=True)
        first, last = answer.arrivals[0], answer.arrivals[-1]
        promise(len(answer.arrivals) > 3, "there are several pieces")
        promise(last - first > 0.5, "the first one is here before the last one is written")


def background_work() -> None:
    """Show an answer that comes before its invocation is over."""
    with scene("Work goes on after the answer", "background_tasks") as server:
        answer = server.invoke("background_tasks/event.json")
        promise(answer.json["status"] == "accepted", "the order is accepted")
        times = [server.wait_for(f"packed {number} of 2", since=answer.began) for number in (1, 2)]
        promise(answer.arrivals[0] < times[0] < times[1], "it is packed afterwards")


def promise(kept: bool, what: str) -> None:
    """End the demo unless `kept`."""
    if not kept:
        raise NotAsPromised(f"{what}.")


_number = 0


@contextlib.contextmanager
def scene(title: str, example: str) -> Generator[Server]:
    """Serve an example while the body runs."""
    global _number
    _number += 1
    console.print(Text(f"\n{_number}. {title}", "bold"))
    with Server(example) as server:
        yield server


# What it takes


class Answer:
    """What came back from the function.

    Attributes:
        status: HTTP status.
        body: all of it.
        began: when the request was sent, on the monotonic clock.
        arrivals: when each piece of the body came.
    """

    def __init__(self, status: int, began: float) -> None:
        self.status = status
        self.body = b""
        self.began = began
        self.arrivals: list[float] = []

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise NotAsPromised(f"the answer is no JSON: {self.body!r:.200}") from None


class Server:
    """`polylambda dev` for one example, in a process of its own."""

    def __init__(self, example: str) -> None:
        self._folder = EXAMPLES / example
        self._lines: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
        self._port = 0

    def __enter__(self) -> Self:
        command = ["polylambda", "dev", "app.handler", "--port", "0"]
        beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        program = shutil.which(command[0], path=beside_python)
        promise(program is not None, "polylambda is installed")
        self._show_command(f"cd examples/{self._folder.name} && {' '.join(command)}")
        began = time.monotonic()
        # In a session of its own: a Ctrl-C ends the demo, and the demo ends the server.
        self._process = subprocess.Popen(
            [str(program), *command[1:]],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.wait_for("ready in", since=began)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        status = self._stop()
        if exc_info[0] is None:
            promise(status == 0, f"the server ends by itself; its exit status is {status}")

    def invoke(self, event: str, *, pieces: bool = False, show: Callable[[bytes], str] = bytes.decode) -> Answer:
        """Send `event`, a file of the examples or JSON, and show the answer: whole, or piece by piece."""
        if event.startswith("{"):
            payload = event.encode()
            data = f"'{event}'"
        else:
            payload = (EXAMPLES / event).read_bytes()
            data = f"@examples/{event}"
        self._show_command(f"curl {'-N ' if pieces else ''}-d {data} http://127.0.0.1:{self._port}/invoke")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        began = time.monotonic()
        try:
            connection.request("POST", "/invoke", payload, {"content-type": "application/json"})
            response = connection.getresponse()
            answer = Answer(response.status, began)
            while piece := response.read1() if pieces else response.read():
                answer.arrivals.append(time.monotonic())
                answer.body += piece
                if pieces:
                    self._show(began, piece.decode(), "cyan")
        except (OSError, http.client.HTTPException) as error:
            raise NotAsPromised(f"the function answers: {error!r}") from error
        finally:
            connection.close()
        if not pieces:
            self._show(began, show(answer.body), "cyan" if answer.status < 400 else "red")
        return answer

    def wait_for(self, text: str, *, since: float) -> float:
        """Show the server's output up to the line that holds `text`, and return when it came."""
        printed: list[str] = []
        while True:
            try:
                item = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                item = None
            if item is None:
                raise NotAsPromised(f"the server prints {text!r}. It printed:\n{''.join(printed)}")
            at, line = item
            printed.append(line)
            if not self._port and (found := _ADDRESS.search(line)):
                self._port = int(found[1])
            if "could not start" in line:
                raise NotAsPromised(f"the function starts. The server printed:\n{''.join(printed)}")
            if text in line:
                self._show(since, line.rpartition("  ")[2], "yellow", at)
                return at

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put((time.monotonic(), line))
        self._lines.put(None)

    def _stop(self) -> int:
        """End the server as Ctrl-C does; return its exit status."""
        try:
            self._process.send_signal(signal.SIGINT)
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _show_command(self, command: str) -> None:
        console.print(Text(f"   $ {command}", "dim"))

    def _show(self, began: float, text: str, style: str, at: float | None = None) -> None:
        milliseconds = ((at or time.monotonic()) - began) * 1000
        if text.strip():
            console.print(Text.assemble((f"   {milliseconds:5.0f} ms  ", "dim"), (text.strip(), style)))


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
