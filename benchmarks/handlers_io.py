"""A handler that waits for 50 ms, as for a database, and blocks its thread meanwhile."""

from __future__ import annotations

import time


def query(event, context):
    time.sleep(0.05)
    return {"statusCode": 200}
