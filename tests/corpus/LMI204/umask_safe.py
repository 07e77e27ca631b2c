"""The file is made with its mode."""
# mode: thread
import os


def handler(event, context):
    path = context.tmp_dir / "secret"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(descriptor, "w") as file:
        file.write(event["secret"])
    os.chmod(path, 0o400)
