"""The list is made once, when the function is defined, and grows from call to call."""
# mode: thread


def handler(event, context):
    return {"errors": validate(event["order"])}


def validate(order, errors=[]):  # unsafe: B006
    if order["count"] < 1:
        errors.append("count must be 1 or more")
    if not order["item"]:
        errors.append("item is missing")
    return errors
