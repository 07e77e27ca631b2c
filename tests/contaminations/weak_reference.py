"""An object that is reached by a weak reference only."""

# mode: task
# rule: RUN101
# event: {"tenant": "acme"}
import asyncio
import weakref


class Settings:
    pass


_keep = Settings()
settings = weakref.ref(_keep)


async def handler(event, context):
    setattr(settings(), "tenant", event["tenant"])
    await asyncio.sleep(0.01)
    return {"tenant": settings().tenant}
