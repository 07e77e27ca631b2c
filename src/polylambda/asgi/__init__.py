"""ASGI applications as handlers: FastAPI, Starlette, Litestar, Quart, Django and whatever else speaks ASGI 3.

An event of API Gateway, a load balancer or a function URL becomes a request (`events`), what the application sends becomes
an answer or a stream (`exchange`, `head`), and its lifespan is that of the process (`lifespan`). Mangum's handlers for
events do what they know; the Runtime API is not seen from here.
"""

from polylambda.asgi.handler import AsgiHandler, handler

__all__ = ["AsgiHandler", "handler"]
