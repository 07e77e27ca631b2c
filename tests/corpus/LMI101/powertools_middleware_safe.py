"""The same middleware, which hands what it found to the handler in the event."""
# mode: thread
from aws_lambda_powertools.middleware_factory import lambda_handler_decorator

HEADERS = {"tenant": "x-tenant"}


@lambda_handler_decorator
def tenant_of(handler, event, context, header="tenant"):
    event["tenant"] = event[HEADERS[header]]
    return handler(event, context)


@tenant_of(header="tenant")
def handler(event, context):
    seen = []
    seen.append(event)
    return event["tenant"]
