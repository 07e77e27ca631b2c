"""An object for each event; what it computes is its own, wherever it is put meanwhile."""
# mode: thread
from contextvars import ContextVar

from events import Event

current = ContextVar("current")


def handler(event, context):
    current.set(Event(event))
    return {"order": order()}


def order():
    return current.get().body["order"]
