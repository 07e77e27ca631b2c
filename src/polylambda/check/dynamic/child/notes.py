"""What was seen, a line of JSON each, in a file that outlives this process."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

_ENOUGH = 200  # notes of a kind that are alike


class Notes:
    """The notes of one run; may be written to by any thread."""

    def __init__(self, path: str) -> None:
        """Open the file."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._written: Counter[str] = Counter()

    def write(self, kind: str, /, **facts: Any) -> None:
        """Write a note, unless there were enough of that kind."""
        self._written[kind] += 1
        if self._written[kind] > _ENOUGH:
            return
        os.write(self._descriptor, json.dumps({"kind": kind, **facts}, default=repr).encode() + b"\n")
