"""A memo: what is kept depends on the key and nothing else, so it is no matter who puts it there."""
# mode: task
import pricing

_prices = {}


async def handler(event, context):
    total = 0
    for item in event["items"]:
        total += await price(item["sku"])
    return total


async def price(sku):
    if sku not in _prices:
        _prices[sku] = await pricing.fetch(sku)
    return _prices[sku]
