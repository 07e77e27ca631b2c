"""One application, written for each framework that `polylambda.asgi` is tested with: `starlette_app.app`, ...

GET  /state            what its lifespan left in its state: {"pool": "open"}
GET  /json             {"hello": NAME}, of the query's `name`
POST /json             the body back, with `seen` added
GET  /items/NAME       {"item": NAME}
POST /form             {"name": FIELD}
POST /upload           {"name": FILE NAME, "sha256": of its content}
GET  /download         BLOB
GET  /cookies          {"a": of the request}, and the cookies a=1 and b=2
GET  /redirect         307 to /json
GET  /stream           PIECES
GET  /events           two server-sent events; the second is sent when the test says so
POST /background       "accepted"; then, when the test says so, it notes "done"
GET  /fail             an exception
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator

FRAMEWORKS = ["starlette", "fastapi", "litestar", "quart", "django"]
BLOB = bytes(range(256)) * 64
PIECES = [b"one ", b"two ", b"three"]


class Stage:
    """What an application and its test tell each other."""

    def reset(self) -> None:
        """Begin a new test."""
        self.log: list[str] = []
        self.go_on = asyncio.Event()
        self.done = asyncio.Event()

    async def events(self) -> AsyncGenerator[str]:
        """Two server-sent events, the second not before the test has said so."""
        yield "data: first\n\n"
        await self.go_on.wait()
        yield "data: second\n\n"

    async def work(self) -> None:
        """Background work, which ends when the test has said so."""
        await self.go_on.wait()
        self.log.append("done")
        self.done.set()


stage = Stage()


async def pieces() -> AsyncGenerator[bytes]:
    for piece in PIECES:
        yield piece


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
