"""A lock of threads that is held while the coroutine waits: the next one waits for it, on the loop, for ever."""
# mode: task
import threading

import ledger

lock = threading.Lock()


async def handler(event, context):
    with lock:  # unsafe: LMI305
        balance = await ledger.balance(event["account"])
        return await ledger.post(event["account"], balance + event["amount"])
