"""A generator that all share: each takes lines from the others, and two threads in it are an error."""
# mode: thread


def load():
    with open("/opt/coupons.txt") as file:
        yield from file


coupons = load()


def handler(event, context):
    return {"coupon": next(coupons, None)}  # unsafe: LMI107
