"""One invocation deletes what another one is about to read."""
# mode: thread
uploads = {}


def handler(event, context):
    upload = event["pathParameters"]["upload"]
    if event["httpMethod"] == "PUT":
        uploads[upload] = [event["body"]]  # unsafe: LMI101
    elif event["httpMethod"] == "DELETE":
        del uploads[upload]  # unsafe: LMI101
    return {"statusCode": 200, "body": str(upload in uploads)}
