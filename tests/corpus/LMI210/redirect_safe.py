"""Printed into a file of its own."""
# mode: thread
import io
import sys

import report


def handler(event, context):
    printed = io.StringIO()
    stdout = sys.stdout
    print(f"order {event['order']}", file=printed)
    report.show(event["order"], file=printed)
    print("done", file=stdout, flush=True)
    sys.stderr.write("shown\n")
    return printed.getvalue()
