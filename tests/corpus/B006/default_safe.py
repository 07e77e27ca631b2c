"""A default that nobody changes may be a dictionary; one that is changed is None."""
# mode: thread


def handler(event, context):
    return {"errors": validate(event["order"]), "price": price(event["order"]["item"])}


def price(item, prices={"tea": 4.5}):
    return prices.get(item, 0)


def validate(order, errors=None):
    errors = [] if errors is None else errors
    if order["count"] < 1:
        errors.append("count must be 1 or more")
    return errors
