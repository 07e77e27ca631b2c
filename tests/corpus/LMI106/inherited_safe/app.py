"""A new object for each invocation, made by the function that Lambda calls."""
# mode: thread
from base import BaseHandler


class PlaceOrder(BaseHandler):
    def run(self):
        return {"user": self.user, "item": self.event["item"]}


def handler(event, context):
    return PlaceOrder(event, context).respond()
