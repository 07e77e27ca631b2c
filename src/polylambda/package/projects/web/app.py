"""A web application: FastAPI on Lambda, one application for many requests at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from polylambda import LambdaManagedRuntime, asgi

PAUSE = 0.5  # seconds between two numbers

app = FastAPI(title="{{name}}")


class Order(BaseModel):
    item: str
    count: int = 1


@app.get("/")
async def index() -> dict[str, str]:
    return {"hello": "world"}


@app.post("/orders", status_code=201)
async def place(order: Order) -> Order:
    return order


@app.get("/countdown")
async def countdown(start: int = 3) -> StreamingResponse:
    async def numbers() -> AsyncIterator[str]:
        for number in range(start, 0, -1):
            yield f"{number}\n"
            await asyncio.sleep(PAUSE)
        yield "go\n"

    return StreamingResponse(numbers(), media_type="text/plain")


# Streamed, as the URLs in the templates are: `InvokeMode: RESPONSE_STREAM`.
handler = asgi.handler(app, streaming=True)

if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
