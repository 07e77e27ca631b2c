"""Counts what it served; threads lose counts, since += reads and writes in two steps."""
# mode: thread
served = 0


def handler(event, context):
    global served
    served += len(event["Records"])  # unsafe: LMI101
    return {"served": served}
