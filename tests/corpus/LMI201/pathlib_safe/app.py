"""Below the same folder, under the invocation's name; and in context.tmp_dir, which is its own."""
# mode: thread
import uuid

from paths import WORK
from polylambda import LambdaContext


def handler(event: dict, context: LambdaContext):
    WORK.mkdir(exist_ok=True)
    (WORK / str(uuid.uuid4())).write_text(event["body"])
    (context.tmp_dir / "input.json").write_text(event["body"])
    return "queued"
