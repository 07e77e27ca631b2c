"""wrapt gives the wrapper the function, its object, and its arguments."""
# mode: thread
import wrapt

calls = {}


@wrapt.decorator
def counted(wrapped, instance, args, kwargs):
    calls[wrapped.__name__] = args[0]["id"]  # unsafe: LMI101
    return wrapped(*args, **kwargs)


class Shop:
    @counted
    def order(self, event):
        calls["order"] = event["id"]  # unsafe: LMI101
        return event["id"]


@counted
def handler(event, context):
    return Shop().order(event)
