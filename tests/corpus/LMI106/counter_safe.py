"""One behind a lock of its own, one declared to be safe by its author."""
# mode: thread
import collections
import threading

from polylambda import concurrency_safe


class Budget:
    def __init__(self):
        self.spent = 0
        self.lock = threading.Lock()

    def spend(self, amount):
        with self.lock:
            self.spent += amount
            return self.spent


@concurrency_safe
class Recent:
    def __init__(self):
        self.names = collections.deque(maxlen=8)

    def add(self, name):
        self.names.append(name)


budget = Budget()
recent = Recent()


def handler(event, context):
    recent.add(event["user"])
    return {"spent": budget.spend(event["amount"])}
