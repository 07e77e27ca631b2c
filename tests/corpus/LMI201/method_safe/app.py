"""The same with a name that nobody else has; it is written, and removed by a method."""
# mode: process
import uuid

from files import Files

files = Files("/tmp")


def handler(event, context):
    name = str(uuid.uuid4())
    path = files.path(f"{name}_input.png")
    with open(path, "wb") as file:
        file.write(bytes.fromhex(event["image"]))
    size = path.stat().st_size
    files.remove(path)
    return {"size": size}
