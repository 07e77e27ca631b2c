"""Each instance makes its own list, by hand or by a factory."""
# mode: thread
from dataclasses import dataclass, field


@dataclass
class Prices:
    by_item: dict = field(default_factory=dict)

    def set(self, item, price):
        self.by_item[item] = price


class Cart:
    items = []

    def __init__(self):
        self.items = []
        self.prices = Prices()

    def add(self, item, price):
        self.items.append(item)
        self.prices.set(item, price)


def handler(event, context):
    cart = Cart()
    for line in event["lines"]:
        cart.add(line["item"], line["price"])
    return {"items": cart.items}
