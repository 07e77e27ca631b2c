"""A client of boto3 blocks in every call."""
# mode: task
import os

import boto3

s3 = boto3.client("s3")
TABLE = os.environ["TABLE"]
dynamodb = boto3.client("dynamodb")


async def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
        head = s3.head_object(Bucket=bucket, Key=key)  # unsafe: LMI301
        item = {"key": {"S": key}, "size": {"N": str(head["ContentLength"])}}
        dynamodb.put_item(TableName=TABLE, Item=item)  # unsafe: LMI301
