"""Starts a converter, and forks on the loop."""
# mode: task
import subprocess


async def handler(event, context):
    child = subprocess.Popen(["convert", event["from"], event["to"]])  # unsafe: ASYNC220
    return {"pid": child.pid}
