"""The base class is the one that writes."""
# mode: thread
from base import BaseHandler


class PlaceOrder(BaseHandler):
    def run(self, event):
        return {"user": self.user, "item": event["item"]}


handler = PlaceOrder()
