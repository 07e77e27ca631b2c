"""Settings of a shared object that are read when they are needed first: always the same."""
# mode: thread
import os

from orders import Orders


class Shop:
    def __init__(self):
        self._orders = None

    @property
    def table(self):
        if not hasattr(self, "_table"):
            self._table = os.environ["TABLE"]
        return self._table

    def orders(self):
        if self._orders is None:
            self._orders = Orders(self.table)
        return self._orders


shop = Shop()


def handler(event, context):
    return shop.orders().find(event["id"])
