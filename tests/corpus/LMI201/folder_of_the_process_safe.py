"""Each invocation makes a folder of its own in it."""
# mode: thread
import os
import tempfile

folder = tempfile.mkdtemp()


def handler(event, context):
    own = tempfile.mkdtemp(dir=folder)
    with open(os.path.join(own, "data.csv"), "w") as file:
        file.write(event["csv"])
    with open(f"{folder}/{context.aws_request_id}.csv", "w") as file:
        file.write(event["rows"])
    return own
