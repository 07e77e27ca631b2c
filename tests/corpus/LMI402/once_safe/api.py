import httpx


class Api:
    def __init__(self, base):
        self._http = httpx.Client(base_url=base)

    def find(self, number):
        return self._http.get(f"/orders/{number}").json()
