"""A name that no other invocation has, and a fixed one that is only read."""
# mode: process
import csv
import os


def handler(event, context):
    path = f"/tmp/report-{context.aws_request_id}.csv"
    with open("/opt/header.csv", newline="") as file:
        header = file.read()
    with open(path, "w", newline="") as file:
        file.write(header)
        csv.writer(file).writerows(event["rows"])
    try:
        with open(path, newline="") as file:
            return {"statusCode": 200, "body": file.read()}
    finally:
        os.remove(path)
