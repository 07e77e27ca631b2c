"""A route of Starlette calls a function of a repository; the repository blocks."""
# mode: task
import sqlite3

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from polylambda.asgi import handler as asgi


class Repository:
    def rows(self, query):
        connection = sqlite3.connect("file:/opt/orders.db?mode=ro", uri=True)  # unsafe: LMI302
        return connection.execute("SELECT id FROM orders WHERE item = ?", (query,)).fetchall()  # unsafe: LMI302


async def show(request):
    return JSONResponse(Repository().rows(request.query_params["item"]))


handler = asgi(Starlette(routes=[Route("/orders", show)]))
