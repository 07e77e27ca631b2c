"""A function that is easy to test at every level: rules that know nothing of Lambda, and a handler around them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from polylambda import LambdaContext

# Read once, when the module is imported, and never written: safe with any number of invocations.
PRICES = {
    name: int(cents)
    for name, _, cents in (
        line.partition(",") for line in (Path(__file__).parent / "prices.csv").read_text().splitlines()
    )
}


@dataclass
class Order:
    items: dict[str, int]


@dataclass
class Bill:
    cents: int
    shop: str


class UnknownItem(Exception):
    pass


def total(items: dict[str, int]) -> int:
    """Add up an order, in cents; three of a kind cost as much as two."""
    unknown = sorted(items.keys() - PRICES.keys())
    if unknown:
        raise UnknownItem(f"not sold here: {', '.join(unknown)}")
    return sum(PRICES[name] * (count - count // 3) for name, count in items.items())


async def handler(event: Order, context: LambdaContext) -> Bill:
    context.logger.info("an order of %s", ", ".join(event.items))
    return Bill(total(event.items), os.environ.get("SHOP", "nowhere"))
