"""The application's lifespan reads everything once, before the first event, and may take its time."""
# mode: task
import contextlib
import time

import requests
from fastapi import FastAPI

from polylambda.asgi import handler as asgi

prices = {}


def refresh():
    time.sleep(0.1)
    prices.clear()
    for item, price in requests.get("https://prices.internal", timeout=2).json():
        prices[item] = price


@contextlib.asynccontextmanager
async def lifespan(app):
    refresh()
    yield
    prices.clear()


app = FastAPI(lifespan=lifespan)


@app.on_event("startup")
async def warm():
    prices["nothing"] = 0


@app.get("/prices/{item}")
async def show(item: str):
    return {"price": prices[item]}


handler = asgi(app)
