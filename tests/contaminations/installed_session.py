"""An installed library keeps one session for the whole process."""

# mode: task
# rule: RUN101
# event: {"name": "Ada"}
import asyncio
import site
from pathlib import Path

site.addsitedir(str(Path(__file__).parent / "site-packages"))
import session_of_now  # noqa: E402


async def handler(event, context):
    session_of_now.login(event["name"])
    await asyncio.sleep(0.01)
    return {"user": session_of_now.whoami()}
