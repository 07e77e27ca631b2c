"""The same value each time, as if it were set at import."""
# mode: thread
import os

import billing


def handler(event, context):
    os.environ["BILLING_ENDPOINT"] = "https://billing.example"
    os.environ.setdefault("BILLING_TIMEOUT", "5")
    return billing.charge(event["amount"])
