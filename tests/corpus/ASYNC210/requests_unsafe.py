"""Sixty-three other invocations wait for this answer, too."""
# mode: task
import urllib.request

import requests


async def handler(event, context):
    rate = requests.get("https://rates.example/eur", timeout=2).json()  # unsafe: ASYNC210
    with urllib.request.urlopen("https://stock.example/tea") as answer:  # unsafe: ASYNC210
        stock = answer.read()
    return {"rate": rate, "stock": stock.decode()}
