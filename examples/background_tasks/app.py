"""Answer first, work afterwards: the caller of a slow task waits for its receipt only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from polylambda import LambdaContext, LambdaRuntime, ResponseWriter

PACKING = 0.5  # seconds for each piece


@dataclass
class Order:
    id: str
    item: str
    count: int = 1


@dataclass
class Receipt:
    order: str
    status: str


async def handler(event: Order, response: ResponseWriter[Receipt], context: LambdaContext) -> None:
    await response.write(Receipt(order=event.id, status="accepted"))
    # The caller has its answer. The invocation is over when the handler returns.
    for number in range(event.count):
        await pack(event)
        print(f"order {event.id}: packed {number + 1} of {event.count}")


async def pack(order: Order) -> None:
    await asyncio.sleep(PACKING)


if __name__ == "__main__":
    LambdaRuntime(handler).run()
