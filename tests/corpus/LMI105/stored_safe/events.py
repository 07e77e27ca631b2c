import json
from functools import cached_property


class Event:
    def __init__(self, data):
        self.data = data

    @cached_property
    def body(self):
        return json.loads(self.data["body"])
