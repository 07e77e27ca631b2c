"""Computes: what it does keeps a CPU busy for as many milliseconds as the event says."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from polylambda import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    until = time.thread_time() + event.get("milliseconds", 20) / 1000
    digest = b""
    while time.thread_time() < until:
        digest = hashlib.sha256(digest + event.get("image", "tea.jpg").encode()).digest()
    return {"thumbnail": digest.hex()[:16], "process": os.getpid()}
