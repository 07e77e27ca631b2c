"""A route that is a def runs in a thread, FastAPI sees to that."""
# mode: task
import time

from fastapi import FastAPI

from polylambda.asgi import handler as asgi

app = FastAPI()


@app.get("/slow")
def slow(seconds: float = 0.2):
    time.sleep(seconds)
    return {"slept": seconds}


handler = asgi(app)
