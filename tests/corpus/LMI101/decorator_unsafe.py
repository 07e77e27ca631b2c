"""A decorator of the project that counts calls, and remembers who called last."""
# mode: thread
import functools

STATISTICS = {"calls": 0, "last": None}


def counted(function):
    @functools.wraps(function)
    def wrapper(event, context):
        STATISTICS["calls"] += 1  # unsafe: LMI101
        STATISTICS["last"] = event.get("id")  # unsafe: LMI101
        return function(event, context)

    return wrapper


@counted
def handler(event, context):
    return {"last": STATISTICS["last"]}
