"""What a function wrote to its log during one invocation: the `LogType=Tail` of AWS's Invoke."""

from __future__ import annotations

import base64
from collections import deque

LIMIT = 4 * 1024
"""Bytes of log that AWS returns."""


class LogTail:
    """Collects the output of the runtime for the invocations that are under way.

    Output says nothing of the invocation that wrote it. A line goes to each invocation under way, except when it holds
    the request id of another one; with one invocation at a time, as on Lambda, that is exact.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[bytes]] = {}

    def begin(self, request_id: str) -> None:
        """Collect for an invocation from now on."""
        self._lines[request_id] = deque()

    def end(self, request_id: str) -> None:
        """Forget an invocation."""
        self._lines.pop(request_id, None)

    def add(self, line: bytes) -> None:
        """Take a line of output, without its line end."""
        named = {request_id for request_id in self._lines if request_id.encode() in line}
        for request_id, lines in self._lines.items():
            if not named or request_id in named:
                lines.append(line)
                # Each line counts its line end, so no more than LIMIT lines can matter.
                if len(lines) > LIMIT:
                    lines.popleft()

    def result(self, request_id: str, *, version: str, duration: float, memory_size: int) -> str:
        """Return the end of an invocation's log in base64, with AWS's lines around it; `duration` is in seconds."""
        milliseconds = duration * 1000
        text = b"".join(line + b"\n" for line in self._lines.get(request_id, ()))
        start = f"START RequestId: {request_id} Version: {version}\n"
        report = (
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {memory_size} MB\t\n"
        )
        return base64.b64encode((start.encode() + text + report.encode())[-LIMIT:]).decode()
