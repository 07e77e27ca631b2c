"""Two digits more for this order; the context is that of whatever else runs in it."""
# mode: task
import decimal
from decimal import Decimal

import rates


async def handler(event, context):
    decimal.getcontext().prec = event["digits"]  # unsafe: LMI207
    rate = await rates.fetch(event["currency"])
    return str(Decimal(event["amount"]) / Decimal(rate))
