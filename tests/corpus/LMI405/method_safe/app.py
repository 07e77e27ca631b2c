"""Not everything that sends is a coroutine function."""
# mode: task
from mail import Mailbox

mailbox = Mailbox("mail.internal")


async def handler(event, context):
    for record in event["Records"]:
        mailbox.prepare(record["body"])
        await mailbox.send(record["body"])
