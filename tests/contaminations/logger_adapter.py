"""What a shared logger adapter puts into every line."""

# mode: task
# rule: RUN102
# event: {"user": "Ada"}
import asyncio
import logging
import operator


class Tagged(logging.LoggerAdapter):
    def process(self, msg, kwargs):
        return f"{self.extra.get('user')}: {msg}", kwargs


log = Tagged(logging.getLogger("shop"), {})


async def handler(event, context):
    operator.setitem(log.extra, "user", event["user"])
    await asyncio.sleep(0.01)
    log.warning("out of tea")
    return "logged"
