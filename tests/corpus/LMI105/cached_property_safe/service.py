from functools import cached_property


class Request:
    def __init__(self, event):
        self.event = event

    @cached_property
    def name(self):
        return self.event["queryStringParameters"]["name"].title()


class Service:
    @cached_property
    def word(self):
        return "Hello"
