"""A temporary file for each invocation, which nobody removes."""

# mode: process
# rule: RUN113
# event: {"body": "some text"}
import os
import tempfile


def handler(event, context):
    descriptor, name = tempfile.mkstemp(suffix=".pdf")
    os.write(descriptor, event["body"].encode())
    os.close(descriptor)
    return {"bytes": os.path.getsize(name)}
