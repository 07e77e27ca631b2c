"""An application in another module, with routes in a third one, which are plain functions."""
# mode: task
from api.main import application
from polylambda.asgi import handler as asgi

handler = asgi(application)
