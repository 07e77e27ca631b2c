"""State on the function itself."""
# mode: thread


def handler(event, context):
    handler.last = event["id"]  # unsafe: LMI104
    return next_number()


def next_number():
    next_number.value += 1  # unsafe: LMI104
    return next_number.value


next_number.value = 0
