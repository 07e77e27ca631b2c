"""Requests that wait to be answered, in one queue for everybody: whoever comes next takes them."""
# mode: task
from collections import deque

import mail

waiting = deque()


async def handler(event, context):
    for record in event["Records"]:
        waiting.append(record["body"])  # unsafe: LMI101
    sent = []
    while waiting:
        message = waiting.popleft()  # unsafe: LMI101
        await mail.send(message)
        sent.append(message)
    return sent
