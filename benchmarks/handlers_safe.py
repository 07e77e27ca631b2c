"""The no-op handler, declared to be safe in threads."""

from __future__ import annotations

from polylambda import concurrency_safe


@concurrency_safe
def noop(event, context):
    return {"statusCode": 200}
