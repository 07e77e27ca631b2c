"""A lifespan sets globals before the first event, alone; a middleware uses a context variable."""
# handler: runtime
# mode: task
import contextlib
from contextvars import ContextVar

import asyncpg
from polylambda import LambdaManagedRuntime

pool = None
tenant = ContextVar("tenant", default="")


@contextlib.asynccontextmanager
async def lifespan():
    global pool
    pool = await asyncpg.create_pool("postgresql://orders")
    yield {"pool": pool}
    await pool.close()
    pool = None


async def identify(payload, response, context, call_next):
    token = tenant.set(context.tenant_id)
    try:
        await call_next(payload, response, context)
    finally:
        tenant.reset(token)


async def handler(event, context):
    return {"tenant": tenant.get(), "rows": await pool.fetch("SELECT 1")}


runtime = LambdaManagedRuntime(handler, lifespan=lifespan, middleware=[identify])
