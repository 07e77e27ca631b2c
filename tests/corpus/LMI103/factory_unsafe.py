"""A factory makes the handler; what it captured lives as long as the process."""
# mode: thread


def make_handler(limit):
    seen = set()
    calls = 0

    def handle(event, context):
        nonlocal calls
        calls += 1  # unsafe: LMI103
        if event["id"] in seen:
            return {"duplicate": True}
        seen.add(event["id"])  # unsafe: LMI103
        return {"duplicate": False, "left": limit - calls}

    return handle


handler = make_handler(1000)
