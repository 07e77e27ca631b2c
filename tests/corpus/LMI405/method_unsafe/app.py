"""An async method of another file, called as if it were a plain one."""
# mode: task
from mail import Mailbox

mailbox = Mailbox("mail.internal")


async def handler(event, context):
    for record in event["Records"]:
        mailbox.send(record["body"])  # unsafe: LMI405
