"""Logs on disk: one file of JSON lines for each function, and one for each capacity provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING

from polylambda.plane.clock import timestamp

if TYPE_CHECKING:
    from pathlib import Path

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of a log; what is older than that is in a second file, and what is older still is gone."""

FLUSH_AFTER = 0.1
"""Real seconds that a line may wait for others before it is written: a write for each would cost more than the lines."""

_PROVIDERS = "capacity-provider"
_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2}


class Journal:
    """The logs in a folder. Belongs to one event loop."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, which is made when it is missing."""
        self._folder = folder
        self._waiting: dict[str, list[bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._said: set[tuple[str, str]] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def function_log(self, function: str) -> Path:
        """Return the file of a function's log."""
        return self._path(function)

    def provider_log(self, provider: str) -> Path:
        """Return the file of a capacity provider's log."""
        return self._path(f"{_PROVIDERS}/{provider}")

    def function(self, function: str, line: bytes) -> None:
        """Add a line, JSON without its end, to the log of a function."""
        self._add(function, line)

    def function_once(self, function: str, line: bytes) -> None:
        """Add a line to the log of a function, unless one with the same `record` was added before in this way."""
        said = (function, json.dumps(json.loads(line)["record"]))
        if said not in self._said:
            self._said.add(said)
            self._add(function, line)

    def provider(
        self,
        provider: str,
        message: str,
        *,
        arn: str,
        instance: str,
        zone: str,
        instance_type: str,
        level: str = "INFO",
        threshold: str = "INFO",
    ) -> None:
        """Add an event of an instance to the log of its capacity provider, unless `level` is below `threshold`.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
        """
        if _LEVELS[level] < _LEVELS.get(threshold, 1):
            return
        record = {
            "timestamp": timestamp(),
            "level": level,
            "message": message,
            "metadata": {
                "instanceId": instance,
                "availabilityZones": [zone],
                "instanceTypes": [instance_type],
                "capacityProviderArn": arn,
            },
        }
        self._add(f"{_PROVIDERS}/{provider}", json.dumps(record).encode())

    def flush(self) -> None:
        """Write what waits. What cannot be written, such as on a full disk, is lost: a log must not stop a plane."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for log, lines in waiting.items():
            with contextlib.suppress(OSError):
                _append(self._path(log), b"\n".join(lines) + b"\n")

    def _path(self, log: str) -> Path:
        return self._folder / f"{log}.jsonl"

    def _add(self, log: str, line: bytes) -> None:
        self._waiting.setdefault(log, []).append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER, self.flush)


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(data)
        full = file.tell() > MAX_SIZE
    if full:
        os.replace(path, path.with_suffix(".1.jsonl"))
