"""A middleware that tells the handler something through a global."""
# handler: runtime
# mode: task
from polylambda import LambdaManagedRuntime

tenant = ""


async def identify(payload, response, context, call_next):
    global tenant
    tenant = context.tenant_id  # unsafe: LMI101
    await call_next(payload, response, context)


async def handler(event, context):
    return {"tenant": tenant}


runtime = LambdaManagedRuntime(handler, middleware=[identify])
