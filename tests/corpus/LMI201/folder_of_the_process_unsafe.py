"""The folder has a name of its own, and one for all invocations of the process."""
# mode: thread
import os
import tempfile

folder = tempfile.mkdtemp()


def handler(event, context):
    path = os.path.join(folder, "data.csv")
    with open(path, "w") as file:  # unsafe: LMI201
        file.write(event["csv"])
    with open(f"{folder}/rows.csv", "w") as file:  # unsafe: LMI201
        file.write(event["rows"])
    return path
