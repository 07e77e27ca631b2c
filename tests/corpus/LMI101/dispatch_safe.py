"""Functions that nothing on the handler's path calls may write what they like."""
# mode: thread
orders = {"1": "tea"}


def seed():
    orders["2"] = "coffee"


def show(event):
    return orders[event["id"]]


def missing(event):
    return None


ACTIONS = {"show": show}


def handler(event, context):
    action = ACTIONS.get(event["action"], missing)
    return action(event)


if __name__ == "__main__":
    seed()
    print(handler({"action": "show", "id": "2"}, None))
