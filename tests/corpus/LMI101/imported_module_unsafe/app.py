"""Another module's attribute is a global, too."""
# mode: task
import config
from service import place


async def handler(event, context):
    config.tenant = event["pathParameters"]["tenant"]  # unsafe: LMI101
    return await place(event["body"])
