"""What the other module says is read; what is written belongs to the invocation."""
# mode: task
from dataclasses import replace

import config
from service import place


async def handler(event, context):
    settings = replace(config.DEFAULT, tenant=event["pathParameters"]["tenant"])
    return await place(settings, event["body"])
