"""A class counts what it made, and keeps the last one."""
# mode: thread
from dataclasses import dataclass
from typing import ClassVar


@dataclass
class Order:
    item: str
    made: ClassVar[int] = 0
    last: ClassVar["Order | None"] = None

    def place(self):
        Order.made += 1  # unsafe: LMI102
        type(self).last = self  # unsafe: LMI102
        return Order.made


def handler(event, context):
    return Order(event["item"]).place()
