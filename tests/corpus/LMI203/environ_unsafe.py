"""A library takes its tenant from the environment, so the handler puts it there."""
# mode: task
import os

import billing


async def handler(event, context):
    os.environ["TENANT"] = event["tenant"]  # unsafe: LMI203
    os.environ.setdefault("REGION", event["region"])  # unsafe: LMI203
    try:
        return await billing.invoice(event["order"])
    finally:
        del os.environ["TENANT"]  # unsafe: LMI203
