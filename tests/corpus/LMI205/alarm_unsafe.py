"""A time limit by SIGALRM: there is one alarm for the process, and only the main thread may set its handler."""
# mode: thread
import signal

import search


def give_up(number, frame):
    raise TimeoutError


def handler(event, context):
    signal.signal(signal.SIGALRM, give_up)  # unsafe: LMI205
    signal.alarm(2)  # unsafe: LMI205
    try:
        return search.find(event["query"])
    finally:
        signal.alarm(0)  # unsafe: LMI205
