"""Looks like an attribute of the instance, and is the class's."""
# mode: thread


class Cart:
    items = []
    prices = {}

    def add(self, item, price):
        self.items.append(item)  # unsafe: LMI102
        self.prices[item] = price  # unsafe: LMI102


def handler(event, context):
    cart = Cart()
    for line in event["lines"]:
        cart.add(line["item"], line["price"])
    return {"items": cart.items}
