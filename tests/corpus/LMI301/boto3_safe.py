"""In threads; and what a client does without asking anybody."""
# mode: task
import asyncio
import os

import boto3

s3 = boto3.client("s3")
TABLE = os.environ["TABLE"]
dynamodb = boto3.client("dynamodb")


async def handler(event, context):
    links = []
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
        try:
            head = await asyncio.to_thread(s3.head_object, Bucket=bucket, Key=key)
        except s3.exceptions.NoSuchKey:
            continue
        item = {"key": {"S": key}, "size": {"N": str(head["ContentLength"])}}
        await asyncio.to_thread(lambda: dynamodb.put_item(TableName=TABLE, Item=item))
        links.append(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}))
    return {"links": links, "region": s3.meta.region_name}
