"""A def handler may block: its slot is a thread or a process."""
# mode: thread
import http.client

import boto3

s3 = boto3.client("s3")


def handler(event, response, context):
    found = s3.get_object(Bucket="pages", Key=event["key"])
    response.write(str(found["ContentLength"]))
    connection = http.client.HTTPSConnection("audit.internal")
    connection.request("GET", "/")
    answer = connection.getresponse()
    response.finish(answer.read())
