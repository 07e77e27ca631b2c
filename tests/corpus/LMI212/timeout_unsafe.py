"""As much time as is left, for every socket that anybody opens from now on."""
# mode: thread
import socket

import feeds


def handler(event, context):
    socket.setdefaulttimeout(context.get_remaining_time_in_millis() / 1000)  # unsafe: LMI212
    return feeds.fetch(event["url"])
