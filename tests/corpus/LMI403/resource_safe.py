"""Clients are; and a resource for each thread is as good."""
# mode: thread
import os
import threading

import boto3

dynamodb = boto3.client("dynamodb")
local = threading.local()


def table():
    if not hasattr(local, "table"):
        local.table = boto3.session.Session().resource("dynamodb").Table(os.environ["TABLE"])
    return local.table


def handler(event, context):
    number = event["pathParameters"]["id"]
    archived = dynamodb.get_item(TableName="archive", Key={"id": {"S": number}})
    return table().get_item(Key={"id": number}).get("Item", archived)
