"""A lazy attribute of a shared object that is made from the request."""
# mode: thread
from orders import Orders


class Shop:
    def __init__(self):
        self._orders = None

    def orders(self, tenant):
        if self._orders is None:
            self._orders = Orders(tenant)  # unsafe: LMI105
        return self._orders


shop = Shop()


def handler(event, context):
    return shop.orders(event["tenant"]).find(event["id"])
