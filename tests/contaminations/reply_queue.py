"""One queue for the replies to all invocations: whoever comes first takes whichever is there."""

# mode: task
# rule: RUN101
# event: {"question": "why?"}
# invocations: 48
import asyncio
from functools import cache


@cache
def replies():
    return asyncio.Queue()


async def ask(question):
    await asyncio.sleep(len(question) % 3 / 100)
    await replies().put("because of " + question)


async def handler(event, context):
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(event["question"]))
        answer = await replies().get()
    return {"answer": answer}
