"""One value for some requests, another one for the others."""
# mode: thread
import os

import billing


def handler(event, context):
    if event["test"]:
        os.environ["BILLING_ENDPOINT"] = "https://sandbox.billing.example"  # unsafe: LMI203
    return billing.charge(event["amount"])
