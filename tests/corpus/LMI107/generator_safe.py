"""A list that is made from it at import; each invocation has an iterator of its own."""
# mode: thread


def load():
    with open("/opt/coupons.txt") as file:
        yield from file


coupons = list(load())


def handler(event, context):
    mine = (coupon for coupon in coupons if coupon.startswith(event["prefix"]))
    return {"coupon": next(mine, None), "first": next(iter(coupons))}
