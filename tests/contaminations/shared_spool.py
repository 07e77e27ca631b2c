"""A file that was opened for writing at import: what one invocation spools, another one reads."""

# mode: thread
# rule: RUN103
# event: {"line": "some text"}
# invocations: 48
import os
import tempfile

descriptor, name = tempfile.mkstemp()


def handler(event, context):
    os.pwrite(descriptor, event["line"].encode(), 0)
    with open(name) as spool:
        return {"length": len(spool.read())}
