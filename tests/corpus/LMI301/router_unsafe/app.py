"""An application in another module, with routes in a third one."""
# mode: task
from api.main import application
from polylambda.asgi import handler as asgi

handler = asgi(application)
