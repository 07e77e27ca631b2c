"""Settings of the interpreter, turned on the way."""
# mode: thread
import gc
import sys

import expressions


def handler(event, context):
    sys.setrecursionlimit(len(event["expression"]) * 10)  # unsafe: LMI214
    sys.path.insert(0, f"/opt/plugins/{event['plugin']}")  # unsafe: LMI214
    gc.disable()  # unsafe: LMI214
    try:
        return expressions.evaluate(event["expression"])
    finally:
        gc.enable()  # unsafe: LMI214
