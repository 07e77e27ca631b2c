"""The FastAPI application of `web.py`, and the handlers that run it: one for polylambda, one for awslambdaric.

`/items/7` is what an API does most: a path, a query, a model as the answer. `/stream` sends the time of its first send, by
CLOCK_MONOTONIC, and some time later a second piece.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

PAUSE = 0.1  # seconds between the two pieces of a stream


class Item(BaseModel):
    """An answer."""

    id: int
    name: str
    tags: list[str]
    price: float


app = FastAPI()


@app.get("/items/{number}")
async def item(number: int, q: str = "") -> Item:
    return Item(id=number, name=f"item {number} {q}", tags=["one", "two"], price=9.99)


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncGenerator[str]:
        yield f"{time.monotonic_ns()}\n"
        await asyncio.sleep(PAUSE)
        yield "end\n"

    return StreamingResponse(pieces(), media_type="text/plain")


def __getattr__(name: str) -> object:
    """Make the handler that is asked for, and import nothing for the others."""
    if name == "mangum":
        import mangum

        # Without a lifespan, which it would begin and end with every event.
        return mangum.Mangum(app, lifespan="off")
    from polylambda import asgi

    if name == "handler":
        return asgi.handler(app)
    if name == "streaming":
        return asgi.handler(app, streaming=True)
    raise AttributeError(name)
