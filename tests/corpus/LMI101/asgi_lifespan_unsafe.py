"""A route reads everything anew, while others look things up."""
# mode: task
import httpx
from fastapi import FastAPI

from polylambda.asgi import handler as asgi

app = FastAPI()
client = httpx.AsyncClient()
prices = {}


async def refresh():
    found = await client.get("https://prices.internal")
    prices.clear()  # unsafe: LMI101
    for item, price in found.json():
        prices[item] = price  # unsafe: LMI101


@app.post("/refresh")
async def again():
    await refresh()
    return {"prices": len(prices)}


@app.get("/prices/{item}")
async def show(item: str):
    return {"price": prices[item]}


handler = asgi(app)
