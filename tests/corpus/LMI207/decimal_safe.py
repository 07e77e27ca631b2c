"""A context for a block, and one that is an argument."""
# mode: task
from decimal import Context, Decimal, getcontext, localcontext

import rates

CENTS = Context(prec=12)


async def handler(event, context):
    rate = await rates.fetch(event["currency"])
    with localcontext() as digits:
        digits.prec = event["digits"]
        exact = Decimal(event["amount"]) / Decimal(rate)
    return {"exact": str(exact), "cents": str(CENTS.divide(exact, 100)), "digits": getcontext().prec}
