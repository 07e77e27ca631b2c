"""One name in /tmp for all invocations; processes share the folder as well."""
# mode: process
import csv


def handler(event, context):
    with open("/tmp/report.csv", "w", newline="") as file:  # unsafe: LMI201
        writer = csv.writer(file)
        for row in event["rows"]:
            writer.writerow(row)
    with open("/tmp/report.csv", newline="") as file:
        return {"statusCode": 200, "body": file.read()}
