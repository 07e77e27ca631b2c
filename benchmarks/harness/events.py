"""The events that the runtimes get: made anew for every run, always the same."""

from __future__ import annotations

import functools
import json
import random
from typing import Any

_SIZES = {"100k": 100_000, "5m": 5_000_000}
_CITIES = ("Lisboa", "Malmö", "Kraków", "Zürich", "Gent", "Reykjavík", "大阪", "Boston")
_WORDS = ("express", "fragile", "gift", "insured", "monthly", "oversize", "prepaid", "return", "weekend")


@functools.cache
def event_text(name: str) -> str:
    """Return an event by name: `small`, `100k` or `5m`; the large ones are arrays of order records."""
    if name == "small":
        return '{"name": "Ada", "count": 3, "tags": ["first", "second"]}'
    chance = random.Random(name)
    records: list[str] = []
    length = 0
    while length < _SIZES[name]:
        text = json.dumps(_order(chance, len(records)), ensure_ascii=False, separators=(",", ":"))
        records.append(text)
        length += len(text.encode()) + 1
    return f"[{','.join(records)}]"


def _order(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "orderId": f"{chance.getrandbits(64):016x}",
        "number": number,
        "createdAt": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T08:15:00.000Z",
        "customer": {"id": chance.randint(1, 10**6), "city": chance.choice(_CITIES), "vip": chance.random() < 0.1},
        "lines": [
            {"sku": f"SKU-{chance.randint(0, 99999):05}", "quantity": chance.randint(1, 9), "price": _price(chance)}
            for _ in range(chance.randint(1, 4))
        ],
        "tags": chance.sample(_WORDS, 3),
        "note": None if chance.random() < 0.5 else 'Leave it with the "neighbour"\nif nobody is in.',
        "weight": round(chance.uniform(0.1, 30), 3),
    }


def _price(chance: random.Random) -> float:
    return round(chance.uniform(1, 200), 2)
