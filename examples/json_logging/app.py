"""Logs that can be searched: one JSON object a line, each with the id of the request that it belongs to."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from polylambda import LambdaContext, LambdaManagedRuntime

DATABASE = 0.02  # seconds

logger = logging.getLogger("orders")


@dataclass
class Order:
    id: str
    item: str


async def handler(event: Order, context: LambdaContext) -> dict[str, str]:
    # `extra` becomes fields of the record; words are for people, fields are for queries.
    logger.info("order taken", extra={"order": event.id, "item": event.item})
    await store(event)
    print("plain prints become records as well")
    return {"order": event.id}


async def store(order: Order) -> None:
    await asyncio.sleep(DATABASE)
    if order.item == "coffee":
        logger.error("not on the list", extra={"order": order.id, "item": order.item})
        raise ValueError(f"we sell no {order.item}")


if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
