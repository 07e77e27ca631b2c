"""Starlette runs a route that is a def in a thread."""
# mode: task
import sqlite3

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from polylambda.asgi import handler as asgi


class Repository:
    def rows(self, query):
        connection = sqlite3.connect("file:/opt/orders.db?mode=ro", uri=True)
        return connection.execute("SELECT id FROM orders WHERE item = ?", (query,)).fetchall()


def show(request):
    return JSONResponse(Repository().rows(request.query_params["item"]))


async def show_too(request):
    return JSONResponse(await run_in_threadpool(Repository().rows, request.query_params["item"]))


handler = asgi(Starlette(routes=[Route("/orders", show), Route("/too", show_too)]))
