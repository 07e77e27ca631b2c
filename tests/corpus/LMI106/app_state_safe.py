"""The state of the request is the request's; the client is shared, as it should be."""
# mode: task
import httpx
from fastapi import FastAPI, Request

from polylambda.asgi import handler as asgi

app = FastAPI()
client = httpx.AsyncClient()


@app.middleware("http")
async def identify(request: Request, call_next):
    request.state.user = request.headers.get("x-user")
    return await call_next(request)


@app.get("/orders/{order}")
async def show(order: str, request: Request):
    request.state.order = order
    answer = await client.get(f"https://orders.internal/{order}")
    return {"user": request.state.user, "found": answer.json()}


handler = asgi(app)
