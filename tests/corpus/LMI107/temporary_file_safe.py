"""A temporary file of the invocation."""
# mode: thread
import tempfile


def handler(event, context):
    with tempfile.NamedTemporaryFile() as scratch:
        scratch.seek(0)
        scratch.write(event["body"].encode())
        return scratch.name
