"""Resources of boto3 are not safe in threads; its documentation says so."""
# mode: thread
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])  # unsafe: LMI403


def handler(event, context):
    return table.get_item(Key={"id": event["pathParameters"]["id"]}).get("Item")
