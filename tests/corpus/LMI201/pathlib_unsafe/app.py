"""The path is put together from constants of another module."""
# mode: thread
from paths import WORK

INPUT = WORK / "input.json"


def handler(event, context):
    WORK.mkdir(exist_ok=True)
    INPUT.write_text(event["body"])  # unsafe: LMI201
    INPUT.rename(WORK / "old.json")  # unsafe: LMI201
    return "queued"
