"""What a library prints is caught, and so is what all others print meanwhile."""
# mode: thread
import contextlib
import io
import sys

import report


def handler(event, context):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # unsafe: LMI210
        report.show(event["order"])
    errors = sys.stderr
    sys.stderr = printed  # unsafe: LMI210
    report.check(event["order"])
    sys.stderr = errors  # unsafe: LMI210
    return printed.getvalue()
