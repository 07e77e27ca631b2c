"""Private files, by a mask that is everybody's meanwhile."""
# mode: thread
import os


def handler(event, context):
    before = os.umask(0o077)  # unsafe: LMI204
    try:
        with open(context.tmp_dir / "secret", "w") as file:
            file.write(event["secret"])
    finally:
        os.umask(before)  # unsafe: LMI204
