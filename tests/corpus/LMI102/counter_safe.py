"""Class attributes that are only read; what is written belongs to the instance of the invocation."""
# mode: thread
from typing import ClassVar


class Order:
    prices: ClassVar[dict] = {"tea": 4.5, "coffee": 3}
    tags: list = []

    def __init__(self, item):
        self.item = item
        self.price = self.prices[item]

    def tag(self, name):
        self.tags = [*self.tags, name]
        return self.tags


def handler(event, context):
    order = Order(event["item"])
    order.tag("new")
    return order.price
