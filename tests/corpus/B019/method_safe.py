"""cached_property dies with its object, and a static method has none."""
# mode: thread
from functools import cached_property, lru_cache


class Order:
    def __init__(self, lines):
        self.lines = lines

    @cached_property
    def total(self):
        return sum(line["price"] for line in self.lines)

    @staticmethod
    @lru_cache(maxsize=100)
    def rate(country):
        return {"DE": 0.19, "FR": 0.2}.get(country, 0)


def handler(event, context):
    order = Order(event["lines"])
    return {"total": order.total, "tax": order.total * Order.rate(event["country"])}
