"""What is made when it is needed first, found by its name; connections, each under its own."""
# mode: thread
import os

from orders import Orders, connect


class Connections:
    pass


_local = Connections()


def connection(region):
    name = "connection_" + region
    if not getattr(_local, name, None):
        setattr(_local, name, connect(region))
    return getattr(_local, name)


def handler(event, context):
    if "orders" not in globals():
        globals()["orders"] = Orders(os.environ["TABLE"])
    return globals()["orders"].find(connection(event["region"]), event["id"])
