"""Keyed on the order, but what is kept is what this caller sent for it."""
# mode: task
import pricing

drafts = {}


async def handler(event, context):
    order = event["pathParameters"]["order"]
    drafts["latest"] = event["body"]  # unsafe: LMI101
    await pricing.check(order)
    return {"statusCode": 200, "body": drafts["latest"]}
