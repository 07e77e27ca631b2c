"""The precision that one invocation sets is that of the next one in the process."""

# mode: process
# rule: RUN106
# event: {"digits": 3, "amount": 1}
# event: {"digits": 0, "amount": 1}
import importlib


def handler(event, context):
    decimal = importlib.import_module("deci" + "mal")
    if event["digits"]:
        setattr(getattr(decimal, "getcontext")(), "prec", event["digits"])
    return {"third": str(decimal.Decimal(event["amount"]) / 3)}
