"""A loop for each invocation needs its own async client; a client that blocks is the same for all."""
# mode: thread
import asyncio

import boto3


def handler(event, context):
    return asyncio.run(find(event["key"]))


async def find(key):
    s3 = boto3.client("s3")  # unsafe: LMI402
    return await asyncio.to_thread(s3.head_object, Bucket="orders", Key=key)
