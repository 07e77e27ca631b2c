"""Found through a table of functions."""
# mode: thread
orders = {}


def create(event):
    orders[event["id"]] = event["item"]  # unsafe: LMI101
    return "created"


def show(event):
    return orders[event["id"]]


ACTIONS = {"create": create, "show": show}


def handler(event, context):
    action = ACTIONS[event["action"]]
    return action(event)
