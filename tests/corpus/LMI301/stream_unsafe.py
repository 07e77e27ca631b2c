"""A streamed answer out of a response that blocks between its pieces."""
# mode: task
import http.client

import boto3

s3 = boto3.client("s3")


async def handler(event, response, context):
    found = s3.get_object(Bucket="pages", Key=event["key"])  # unsafe: LMI301
    await response.write(str(found["ContentLength"]))
    connection = http.client.HTTPSConnection("audit.internal")
    connection.request("GET", "/")  # unsafe: LMI301
    answer = connection.getresponse()  # unsafe: LMI301
    await response.finish(answer.read())  # unsafe: LMI301
