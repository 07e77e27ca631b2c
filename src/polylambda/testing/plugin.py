"""Fixtures for pytest, found by it when polylambda is installed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from polylambda.context import LambdaContext
    from polylambda.testing.client import HandlerClient


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A made-up context, with 30 seconds to the deadline."""
    from polylambda.testing.client import make_context

    return make_context()


@pytest.fixture
def lambda_client() -> Generator[Callable[..., HandlerClient]]:
    """Call it with a handler (and `lifespan=`, `middleware=`) for a `HandlerClient`; its lifespan ends with the test."""
    from polylambda.testing.client import HandlerClient

    with ExitStack() as stack:

        def make(handler: object, **options: Any) -> HandlerClient:
            return stack.enter_context(HandlerClient(handler, **options))

        yield make
