"""A stream whose pieces are made by an object that everybody uses."""
# mode: task
# rule: RUN101
# event: {"title": "Tea"}
import asyncio
import operator
import string
from functools import partial

values = {}
page = partial(string.Template("<h1>$title</h1>").substitute, values)
fill = partial(operator.setitem, values, "title")


async def handler(event, context):
    fill(event["title"])
    yield "<html>"
    await asyncio.sleep(0.01)
    yield page()
