"""One temporary file, made at import: all invocations write to it."""
# mode: thread
import tempfile

scratch = tempfile.NamedTemporaryFile()


def handler(event, context):
    scratch.seek(0)  # unsafe: LMI107
    scratch.write(event["body"].encode())  # unsafe: LMI107
    return scratch.name
