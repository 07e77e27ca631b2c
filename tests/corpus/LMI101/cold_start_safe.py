"""Notes that the first invocation is over: nothing of a request, always the same value, in one step."""
# mode: task
import metrics

is_cold = True


async def handler(event, context):
    global is_cold
    if is_cold:
        is_cold = False
        await metrics.put("ColdStart", 1)
    return "ok"
