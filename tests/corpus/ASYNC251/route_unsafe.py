"""A route of FastAPI: async def runs on the loop."""
# mode: task
import time

from fastapi import FastAPI

from polylambda.asgi import handler as asgi

app = FastAPI()


@app.get("/slow")
async def slow(seconds: float = 0.2):
    time.sleep(seconds)  # unsafe: ASYNC251
    return {"slept": seconds}


handler = asgi(app)
