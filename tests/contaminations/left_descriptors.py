"""A descriptor that is duplicated for each invocation and never closed."""

# mode: thread
# rule: RUN112
# event: {"name": "Ada"}
import os
import tempfile

archive = tempfile.TemporaryFile()


def handler(event, context):
    return {"descriptor": os.dup(archive.fileno()) > 0}
