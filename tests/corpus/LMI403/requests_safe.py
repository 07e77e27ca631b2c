"""A session for each invocation, with cookies of its own."""
# mode: thread
import requests


def handler(event, context):
    with requests.Session() as session:
        session.post("https://shop.internal/login", data={"user": event["user"]}, timeout=2)
        return session.get("https://shop.internal/orders", timeout=2).json()
