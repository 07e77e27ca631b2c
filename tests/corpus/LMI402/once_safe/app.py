"""The client of the module is made when it is needed first."""
# mode: thread
from api import Api

_client = None


def client():
    global _client
    if _client is None:
        _client = Api("https://orders.internal")
    return _client


def handler(event, context):
    return client().find(event["id"])
