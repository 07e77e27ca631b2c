"""Shows what polylambda does: `make demo`.

Starts the examples on local servers of their own, one after the other, and sends them what AWS would send; then a
plane with managed instances, which it loads, and breaks. It checks everything that it shows: the exit status is 1 when
something is not as promised, and 130 after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import re
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from types import FrameType
from typing import Any, Self

from rich.text import Text

from scripts import demo_stage as stage
from scripts.demo_plane import managed_instances
from scripts.demo_stage import NotAsPromised, Program, console, promise

BROKEN, INTERRUPTED = 1, 130

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


def main(scenes: Sequence[Callable[[], None]] | None = None) -> int:
    """Run the demo, or some scenes of it; return its exit status."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        for show in scenes or SCENES:
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


@contextlib.contextmanager
def scene(title: str, example: str) -> Generator[Server]:
    """Serve an example while the body runs."""
    stage.heading(title)
    with Server(example) as server:
        yield server


SCENES = (existing_function, bad_event, stream, background_work, managed_instances)


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


class Server(Program):
    """`polylambda dev` for one example, in a process of its own."""

    def __init__(self, example: str) -> None:
        super().__init__("polylambda", "dev", "app.handler", "--port", "0", cwd=stage.EXAMPLES / example)
        self._example = example
        self._port = 0

    def __enter__(self) -> Self:
        stage.show_command(f"cd examples/{self._example} && polylambda dev app.handler --port 0")
        began = time.monotonic()
        super().__enter__()
        try:
            self.wait_for("ready in", since=began)
        except BaseException:
            self.stop()
            raise
        return self

    def invoke(self, event: str, *, pieces: bool = False, show: Callable[[bytes], str] = bytes.decode) -> Answer:
        """Send `event`, a file of the examples or JSON, and show the answer: whole, or piece by piece."""
        if event.startswith("{"):
            payload = event.encode()
            data = f"'{event}'"
        else:
            payload = (stage.EXAMPLES / event).read_bytes()
            data = f"@examples/{event}"
        stage.show_command(f"curl {'-N ' if pieces else ''}-d {data} http://127.0.0.1:{self._port}/invoke")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=stage.PATIENCE)
        began = time.monotonic()
        try:
            connection.request("POST", "/invoke", payload, {"content-type": "application/json"})
            response = connection.getresponse()
            answer = Answer(response.status, began)
            while piece := response.read1() if pieces else response.read():
                answer.arrivals.append(time.monotonic())
                answer.body += piece
                if pieces:
                    stage.show(began, piece.decode(), "cyan")
        except (OSError, http.client.HTTPException) as error:
            raise NotAsPromised(f"the function answers: {error!r}") from error
        finally:
            connection.close()
        if not pieces:
            stage.show(began, show(answer.body), "cyan" if answer.status < 400 else "red")
        return answer

    def wait_for(self, text: str, *, since: float) -> float:
        """Show the server's output up to the line that holds `text`, and return when it came."""
        printed: list[str] = []
        while True:
            try:
                at, line, _ = self.lines.get(timeout=stage.PATIENCE)
            except queue.Empty:
                at, line = time.monotonic(), None
            shown = "\n".join(printed)
            if line is None:
                raise NotAsPromised(f"the server prints {text!r}. It printed:\n{shown}")
            printed.append(line)
            if not self._port and (found := _ADDRESS.search(line)):
                self._port = int(found[1])
            if "could not start" in line:
                raise NotAsPromised(f"the function starts. The server printed:\n{shown}\n{line}")
            if text in line:
                stage.show(since, line.rpartition("  ")[2], "yellow", at)
                return at


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
