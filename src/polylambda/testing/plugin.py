"""Fixtures for pytest, which finds them where polylambda is installed.

Every run of pytest there imports this module, so it imports nothing that only its fixtures need.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from polylambda.context import LambdaContext
    from polylambda.testing.client import HandlerClient
    from polylambda.testing.runtime import RuntimeClient


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A made-up context, with 30 seconds to the deadline."""
    from polylambda.testing import make_context

    return make_context()


@pytest.fixture
def handler_client() -> Generator[Callable[..., HandlerClient]]:
    """Makes a `HandlerClient` of a handler (and `lifespan=`, `middleware=`); its lifespan ends with the test."""
    from polylambda.testing import HandlerClient

    with ExitStack() as stack:

        def make(handler: object, **options: Any) -> HandlerClient:
            return stack.enter_context(HandlerClient(handler, **options))

        yield make


@pytest.fixture
def runtime_client() -> Generator[Callable[..., RuntimeClient]]:
    """Makes a `RuntimeClient` of a handler and its options; its runtime ends with the test."""
    from polylambda.testing import RuntimeClient

    with ExitStack() as stack:

        def make(handler: object, **options: Any) -> RuntimeClient:
            return stack.enter_context(RuntimeClient(handler, **options))

        yield make
