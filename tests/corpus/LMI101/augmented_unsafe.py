"""+= on a list changes the list, whatever name it has."""
# mode: thread
TYPES = ["text/html", "text/plain"]


def handler(event, context):
    types = TYPES
    types += event["types"]  # unsafe: LMI101
    return event["type"] in types
