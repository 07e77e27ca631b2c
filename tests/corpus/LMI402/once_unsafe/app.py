"""A client is made for each request, by a function that looks as if it kept it."""
# mode: thread
from api import Api


def client():
    made = Api("https://orders.internal")
    return made


def handler(event, context):
    return client().find(event["id"])
