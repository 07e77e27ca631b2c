"""In a thread; and a request that is only put together."""
# mode: task
import asyncio
import urllib.request

import requests


async def handler(event, context):
    answer = await asyncio.to_thread(requests.get, "https://rates.example/eur", timeout=2)
    request = urllib.request.Request("https://stock.example/tea", headers={"accept": "text/plain"})
    stock = await asyncio.get_running_loop().run_in_executor(None, urllib.request.urlopen, request)
    return {"rate": answer.json(), "stock": stock.status}
