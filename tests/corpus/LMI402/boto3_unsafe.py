"""A client an invocation: each one reads its model and opens its connections."""
# mode: thread
import boto3


def handler(event, context):
    s3 = boto3.client("s3")  # unsafe: LMI402
    found = s3.list_objects_v2(Bucket="orders", Prefix=event["prefix"])
    return [each["Key"] for each in found.get("Contents", [])]
