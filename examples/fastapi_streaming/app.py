"""FastAPI on a function URL: a small API, and an export that is sent while it is made.

The export is as long as it is. A buffered response ends at 6 MB and begins when all of it is there; a streamed one begins at
once, ends at 200 MB, and takes no more memory than a row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from polylambda import asgi


class Order(BaseModel):
    id: int
    item: str
    count: int


class Orders:
    """Stands for a database whose rows come one by one."""

    async def rows(self, limit: int) -> AsyncGenerator[Order]:
        for number in range(1, limit + 1):
            yield Order(id=number, item=("tea", "milk", "salt")[number % 3], count=number % 5 + 1)

    async def get(self, number: int) -> Order | None:
        return Order(id=number, item="tea", count=2) if number < 1000 else None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Orders]]:
    # Once for each process, not for each request: the place for pools and clients.
    yield {"orders": Orders()}


app = FastAPI(title="Orders", lifespan=lifespan)


@app.get("/orders/{number}")
async def order(number: int, request: Request) -> Order:
    found = await request.state.orders.get(number)
    if found is None:
        raise HTTPException(404, f"there is no order {number}")
    return found


@app.get("/export")
async def export(request: Request, limit: int = 1000) -> StreamingResponse:
    orders: Orders = request.state.orders

    async def lines() -> AsyncGenerator[str]:
        yield line("id", "item", "count")
        async for row in orders.rows(limit):
            yield line(row.id, row.item, row.count)

    headers = {"content-disposition": 'attachment; filename="orders.csv"'}
    return StreamingResponse(lines(), media_type="text/csv", headers=headers)


def line(*fields: object) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue()


# As the URL in the template is: `InvokeMode: RESPONSE_STREAM`.
handler = asgi.handler(app, streaming=True)
