"""Application state of a web framework is one for all requests."""
# mode: task
import httpx
from fastapi import FastAPI, Request

from polylambda.asgi import handler as asgi

app = FastAPI()
client = httpx.AsyncClient()


@app.get("/orders/{order}")
async def show(order: str, request: Request):
    app.state.order = order  # unsafe: LMI106
    answer = await client.get(f"https://orders.internal/{app.state.order}")
    return {"order": app.state.order, "found": answer.json()}


handler = asgi(app)
