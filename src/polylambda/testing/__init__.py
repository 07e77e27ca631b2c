"""Test Lambda functions without Lambda.

`HandlerClient` calls a handler of any shape in the test's own process; `RuntimeClient` runs a whole runtime against a
Runtime API in the same process. The pytest fixtures are in `polylambda.testing.plugin`, which pytest finds by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polylambda.testing.client import HandlerClient
    from polylambda.testing.context import make_context
    from polylambda.testing.result import HttpResponse, Result
    from polylambda.testing.runtime import RuntimeClient

__all__ = ["HandlerClient", "HttpResponse", "Result", "RuntimeClient", "make_context"]

_MODULES = {
    "HandlerClient": "client",
    "HttpResponse": "result",
    "Result": "result",
    "RuntimeClient": "runtime",
    "make_context": "context",
}


def __getattr__(name: str) -> object:
    # Imported on first use: pytest loads `plugin`, and so this module, also where nobody tests a Lambda function.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
