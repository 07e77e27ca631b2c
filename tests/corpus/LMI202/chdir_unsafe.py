"""Works in a folder of its own, and takes everybody else there."""
# mode: thread
import os
import subprocess
import tempfile


def handler(event, context):
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # unsafe: LMI202
        subprocess.run(["pdftotext", "-", "out.txt"], input=event["pdf"].encode(), check=True)
        with open(os.path.join(folder, "out.txt")) as file:
            return file.read()
