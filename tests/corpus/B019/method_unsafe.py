"""The cache holds on to every order that was ever priced."""
# mode: thread
from functools import lru_cache


class Order:
    def __init__(self, lines):
        self.lines = lines

    @lru_cache(maxsize=None)  # unsafe: B019
    def total(self):
        return sum(line["price"] for line in self.lines)


def handler(event, context):
    order = Order(event["lines"])
    return {"total": order.total(), "tax": order.total() * 0.19}
