"""An ordinary Lambda function. Nothing here knows of polylambda, and polylambda runs it as it is."""

import base64
import json
import urllib.parse


def handler(event, context):
    match event:
        case {"requestContext": {"http": {"method": "POST"}}, "body": body}:
            return place(base64.b64decode(body) if event.get("isBase64Encoded") else body)
        case {"requestContext": {"http": _}}:
            return {"statusCode": 405, "body": "POST an order\n"}
        case {"Records": [{"eventSource": "aws:sqs"}, *_] as messages}:
            return {
                "batchItemFailures": [
                    {"itemIdentifier": each["messageId"]} for each in messages if not order(each["body"])
                ]
            }
        case {"Records": [{"eventSource": "aws:s3"}, *_] as records}:
            return {"imported": [file(each["s3"]) for each in records]}
    raise ValueError(f"an event of no kind that is known here: {', '.join(event) or 'it is empty'}")


def place(body):
    placed = order(body)
    if placed is None:
        return {"statusCode": 400, "body": "the body must be an order in JSON\n"}
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json", "location": f"/orders/{placed['id']}"},
        "body": json.dumps(placed),
    }


def order(text):
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "id" in found else None


def file(s3):
    # S3 writes keys as they are in a URL.
    return f"s3://{s3['bucket']['name']}/{urllib.parse.unquote_plus(s3['object']['key'])}"
