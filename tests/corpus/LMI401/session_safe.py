"""Made in the lifespan, on the loop that the handlers run on."""
# mode: task
import contextlib

import aiohttp
from polylambda import LambdaManagedRuntime


@contextlib.asynccontextmanager
async def lifespan():
    async with aiohttp.ClientSession() as session:
        yield session


async def handler(event, context):
    async with context.state.get(event["url"]) as answer:
        return {"status": answer.status, "body": await answer.text()}


if __name__ == "__main__":
    LambdaManagedRuntime(handler, lifespan=lifespan).run()
