"""Middleware of Powertools: it and the handler below it run in every invocation."""
# mode: thread
from aws_lambda_powertools.middleware_factory import lambda_handler_decorator

current = {}
seen = []


@lambda_handler_decorator
def tenant_of(handler, event, context, header="tenant"):
    current["tenant"] = event[header]  # unsafe: LMI101
    return handler(event, context)


@lambda_handler_decorator(trace_execution=True)
def timed(handler, event, context):
    return handler(event, context)


@tenant_of(header="x-tenant")
@timed
def handler(event, context):
    seen.append(event)  # unsafe: LMI101
    return current["tenant"]
