"""Test Lambda functions without Lambda.

`HandlerClient` calls a handler of any shape in the test's own process; `RuntimeClient` runs a whole runtime against an
in-process Runtime API. The pytest fixtures are in `polylambda.testing.plugin`, which pytest finds by itself.
"""

from polylambda.testing.client import HandlerClient, Result, make_context
from polylambda.testing.runtime import RuntimeClient

__all__ = ["HandlerClient", "Result", "RuntimeClient", "make_context"]
