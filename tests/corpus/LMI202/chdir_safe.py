"""The child gets the folder, the process stays where it is."""
# mode: thread
import os
import subprocess
import tempfile


def handler(event, context):
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["pdftotext", "-", "out.txt"], input=event["pdf"].encode(), check=True, cwd=folder)
        with open(os.path.join(folder, "out.txt")) as file:
            return {"text": file.read(), "from": here}
