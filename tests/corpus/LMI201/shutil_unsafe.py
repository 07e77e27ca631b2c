"""Unpacks an upload where the last one was, and clears away what others still read."""
# mode: process
import os
import shutil
import subprocess

FOLDER = os.path.join("/tmp", "unpacked")


def handler(event, context):
    shutil.rmtree(FOLDER, ignore_errors=True)  # unsafe: LMI201
    os.makedirs(FOLDER, exist_ok=True)
    shutil.copyfile("/opt/template.zip", FOLDER + "/upload.zip")  # unsafe: LMI201
    done = subprocess.run(["unzip", "-p", f"{FOLDER}/upload.zip", event["member"]], capture_output=True)
    return done.stdout.decode()
