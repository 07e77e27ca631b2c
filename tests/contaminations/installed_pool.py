"""A pooled session brings along what the invocation before has put into it."""

# mode: process
# rule: RUN101
# event: {"name": "Ada", "anonymous": false}
# event: {"name": "Bob", "anonymous": true}
import site
from pathlib import Path

site.addsitedir(str(Path(__file__).parent / "site-packages"))
import pooled  # noqa: E402

pool = pooled.Pool()


def handler(event, context):
    session = pool.acquire()
    try:
        if not event["anonymous"]:
            getattr(session, "headers").update(user=event["name"])
        return session.fetch("/me")
    finally:
        pool.release(session)
