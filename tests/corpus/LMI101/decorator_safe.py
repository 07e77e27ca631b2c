"""A decorator that registers functions while the module is imported."""
# mode: thread
import functools

ROUTES = {}


def route(path):
    def register(function):
        @functools.wraps(function)
        def wrapper(event):
            return {"statusCode": 200, "body": function(event)}

        ROUTES[path] = wrapper
        return wrapper

    return register


@route("/hello")
def hello(event):
    return f"Hello {event['queryStringParameters']['name']}"


def handler(event, context):
    return ROUTES[event["path"]](event)
