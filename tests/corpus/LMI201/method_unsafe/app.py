"""Paths come from an object of the module; one of them is the same for all."""
# mode: process
from files import Files

files = Files("/tmp")


def handler(event, context):
    path = files.path("input.png")
    with open(path, "wb") as file:  # unsafe: LMI201
        file.write(bytes.fromhex(event["image"]))
    return {"size": path.stat().st_size}
