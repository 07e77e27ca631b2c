"""Joined, one by hand, the others by a with; an executor of the module whose results are waited for."""
# mode: thread
import threading
from concurrent.futures import ThreadPoolExecutor

import audit

shared = ThreadPoolExecutor(4)


def handler(event, context):
    writer = threading.Thread(target=audit.write, args=(event,))
    writer.start()
    with ThreadPoolExecutor(4) as pool:
        for record in event["Records"]:
            pool.submit(audit.count, record)
    sizes = [future.result() for future in [shared.submit(audit.size, each) for each in event["Records"]]]
    writer.join()
    return sizes
