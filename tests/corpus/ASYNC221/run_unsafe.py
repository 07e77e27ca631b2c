"""Runs a converter, and everything stands still until it is done."""
# mode: task
import os
import subprocess


async def handler(event, context):
    done = subprocess.run(["convert", event["from"], event["to"]], capture_output=True)  # unsafe: ASYNC221
    os.system("sync")  # unsafe: ASYNC221
    return {"code": done.returncode}
