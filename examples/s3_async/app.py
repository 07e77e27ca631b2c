"""S3 with an asynchronous client: one for all invocations of an environment, opened before the first, closed at the end.

boto3 blocks, so a coroutine that calls it stops every other invocation of its process. aiobotocore has the same calls, and
while S3 answers, others run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from polylambda import LambdaContext, LambdaManagedRuntime

CONNECTIONS = 32  # of each process, for all its invocations together
AT_ONCE = 8  # objects that one invocation reads at a time


@dataclass
class Folder:
    bucket: str
    prefix: str = ""


@dataclass
class Count:
    objects: int
    bytes: int
    lines: int


@contextlib.asynccontextmanager
async def lifespan() -> AsyncGenerator[Any]:
    async with get_session().create_client("s3", config=AioConfig(max_pool_connections=CONNECTIONS)) as s3:
        yield s3


async def handler(event: Folder, context: LambdaContext) -> Count:
    s3 = context.state
    turn = asyncio.Semaphore(AT_ONCE)

    async def read(key: str) -> bytes:
        async with turn:
            found = await s3.get_object(Bucket=event.bucket, Key=key)
            async with found["Body"] as body:
                return await body.read()

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=event.bucket, Prefix=event.prefix)
    keys = [each["Key"] async for page in pages for each in page.get("Contents", ())]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(key)) for key in keys]
    contents = [task.result() for task in tasks]
    return Count(len(keys), sum(map(len, contents)), sum(content.count(b"\n") for content in contents))


runtime = LambdaManagedRuntime(handler, lifespan=lifespan)

if __name__ == "__main__":
    runtime.run()
