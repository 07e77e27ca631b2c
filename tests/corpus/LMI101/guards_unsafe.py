"""Looks like a memo: the key is the order, and the value is what this caller said."""
# mode: thread
answers = {}


def handler(event, context):
    order = event["order"]
    if order not in answers:
        answers[order] = event["comment"]  # unsafe: LMI101
    return answers[order]
