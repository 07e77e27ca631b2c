"""The same with aiobotocore."""
# mode: task
import contextlib

from aiobotocore.session import get_session
from polylambda import LambdaManagedRuntime
from store import Store


@contextlib.asynccontextmanager
async def lifespan():
    async with get_session().create_client("dynamodb") as client:
        yield Store("orders", client)


async def handler(event, context):
    await context.state.put(event["id"], event["body"])
    return await context.state.count()


if __name__ == "__main__":
    LambdaManagedRuntime(handler, lifespan=lifespan).run()
