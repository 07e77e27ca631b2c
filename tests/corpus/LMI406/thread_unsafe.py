"""Started and forgotten: the invocation is over before it is done, and nobody hears of its errors."""
# mode: thread
import threading
from concurrent.futures import ThreadPoolExecutor

import audit


def handler(event, context):
    threading.Thread(target=audit.write, args=(event,)).start()  # unsafe: LMI406
    pool = ThreadPoolExecutor(4)  # unsafe: LMI406
    for record in event["Records"]:
        pool.submit(audit.count, record)
    return "ok"
