"""requests does not promise that threads may share a session; its cookies are certainly shared."""
# mode: thread
import requests

session = requests.Session()  # unsafe: LMI403


def handler(event, context):
    session.post("https://shop.internal/login", data={"user": event["user"]}, timeout=2)
    return session.get("https://shop.internal/orders", timeout=2).json()
