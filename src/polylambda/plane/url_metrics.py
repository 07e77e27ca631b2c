"""CloudWatch's metrics of function URLs, counted around AWS's API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from polylambda.local.exchange import Exchange
from polylambda.plane.api.function_url import url_of
from polylambda.plane.records import LATEST_PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from polylambda.local.exchange import Receive, Scope, Send
    from polylambda.plane.metrics import FunctionMetrics, Metrics
    from polylambda.plane.store import Store

    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class CountedUrls:
    """An ASGI application that counts requests to function URLs on their way to another."""

    def __init__(self, app: AsgiApp, store: Store, metrics: Metrics) -> None:
        """Count what `app` answers; `store` knows whose URL it is."""
        self._app = app
        self._store = store
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        figures = self._figures(scope, receive, send)
        if figures is None:
            return await self._app(scope, receive, send)
        begun = time.monotonic()
        status = 0

        async def counted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            figures.count("UrlRequestCount")
            if status >= 400:
                figures.count("Url4xxCount" if status < 500 else "Url5xxCount")
            figures.url_latency.add((time.monotonic() - begun) * 1000)

    def _figures(self, scope: Scope, receive: Receive, send: Send) -> FunctionMetrics | None:
        """Return the figures of the function whose URL a request is for; None: it is for none."""
        path: str = scope["path"]
        if not path.startswith("/url/") and not any(
            name == b"host" and b".lambda-url." in value for name, value in scope["headers"]
        ):
            return None
        found = url_of(Exchange(scope, receive, send))
        place = self._store.url_by_id(found[0]) if found is not None else None
        if place is None:
            return None
        function, qualifier, _ = place
        return self._metrics.function(function, qualifier or LATEST_PUBLISHED)
