"""A regular expression that takes exponential time for what somebody sends."""

# mode: task
# rule: RUN109
# event: {"text": "aaaaaaaaaaaaaaaaaaaaa!"}
# stall: 0.02
import re

WORDS = re.compile(r"(\w+\s?)*$")


async def handler(event, context):
    return {"matches": bool(WORDS.match(event["text"][:18] + "!"))}
