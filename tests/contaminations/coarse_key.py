"""A cache whose key leaves out what the value depends on: it comes by a context variable."""

# mode: task
# rule: RUN101
# event: {"user": "Ada", "language": 1}
import contextvars
from functools import lru_cache

user = contextvars.ContextVar("user")


@lru_cache(maxsize=100)
def greeting(language):
    return ("Hello ", "Bonjour ")[language] + user.get()


async def handler(event, context):
    user.set(event["user"])
    return {"greeting": greeting(event["language"])}
