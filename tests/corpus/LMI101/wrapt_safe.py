"""The same wrapper, which writes to an object of the invocation."""
# mode: thread
import wrapt


@wrapt.decorator
def counted(wrapped, instance, args, kwargs):
    result = wrapped(*args, **kwargs)
    result["wrapped"] = wrapped.__name__
    return result


class Shop:
    def __init__(self):
        self.calls = []

    @counted
    def order(self, event):
        self.calls.append(event["id"])
        return {"calls": self.calls}


@counted
def handler(event, context):
    return Shop().order(event)
