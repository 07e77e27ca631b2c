"""What is written is a dictionary that happens to have the name."""
# mode: thread
import os


def handler(event, context):
    environ = dict(os.environ)
    environ.update({"HTTP_PROXY": event["headers"]["x-proxy"]})
    environ["TRACE"] = os.getenv("TRACE", "off")
    return sorted(environ)
