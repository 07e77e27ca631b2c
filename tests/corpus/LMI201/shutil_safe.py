"""A folder that mkdtemp makes; a file that has its name from the system; nothing to clear that others read."""
# mode: process
import os
import shutil
import subprocess
import tempfile


def handler(event, context):
    folder = tempfile.mkdtemp(prefix="unpacked-", dir="/tmp")
    try:
        archive = os.path.join(folder, "upload.zip")
        shutil.copyfile("/opt/template.zip", archive)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
            names.write(event["member"])
            names.flush()
            done = subprocess.run(["unzip", "-p", archive, event["member"]], capture_output=True)
        return done.stdout.decode()
    finally:
        shutil.rmtree(folder)
