"""Attributes of functions that are set while the module is imported, and read afterwards."""
# mode: thread


def retried(times):
    def mark(function):
        function.times = times
        return function

    return mark


@retried(3)
def fetch(key):
    return {"key": key}


fetch.table = "orders"


def handler(event, context):
    for _ in range(fetch.times):
        found = fetch(event["id"])
        if found:
            return {fetch.table: found}
    return None
