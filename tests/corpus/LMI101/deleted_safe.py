"""Names of the module are deleted and filled while it is imported, which one thread does, once."""
# mode: thread
import pathlib

pages = {}
for _path in pathlib.Path(__file__).parent.glob("*.html"):
    pages[_path.stem] = _path.read_text()
del _path


def handler(event, context):
    pages = load()
    pages["index"] = event["body"]
    del pages["about"]
    return {"statusCode": 200, "body": pages["index"]}


def load():
    return {"index": "", "about": ""}
