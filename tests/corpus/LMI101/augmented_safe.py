"""+= on a tuple or a text makes a new one, and gives it to the local name."""
# mode: thread
TYPES = ("text/html", "text/plain")
GREETING = "Hello "
LIMIT = 10


def handler(event, context):
    types = TYPES
    types += tuple(event["types"])
    greeting = GREETING
    greeting += event["name"]
    limit = LIMIT
    limit -= len(types)
    return {"known": event["type"] in types, "greeting": greeting, "left": limit}
