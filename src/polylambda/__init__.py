"""polylambda: AWS Lambda runtimes for Python, and Lambda Managed Instances on your own machine.

The public names. Whatever is not listed here is an internal of the version you have.
"""

from polylambda.context import ClientContext, CognitoIdentity, LambdaContext, current_context
from polylambda.errors import (
    AlreadyRunning,
    ConfigurationError,
    MarshalError,
    PolylambdaError,
    ResponseError,
    RuntimeApiError,
    UnmarshalError,
    ValidationError,
)
from polylambda.handlers import Middleware, Waist
from polylambda.response import ResponseStream, ResponseWriter
from polylambda.runtime.runtime import LambdaRuntime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.runtime.managed import LambdaManagedRuntime
    from polylambda.safety import concurrency_safe

__version__ = "0.1.0"

__all__ = [
    "AlreadyRunning",
    "ClientContext",
    "CognitoIdentity",
    "ConfigurationError",
    "LambdaContext",
    "LambdaManagedRuntime",
    "LambdaRuntime",
    "MarshalError",
    "Middleware",
    "PolylambdaError",
    "ResponseError",
    "ResponseStream",
    "ResponseWriter",
    "RuntimeApiError",
    "UnmarshalError",
    "ValidationError",
    "Waist",
    "concurrency_safe",
    "current_context",
]


def __getattr__(name: str) -> object:
    """Import what runtimes for one invocation at a time start without."""
    if name == "LambdaManagedRuntime":
        from polylambda.runtime.managed import LambdaManagedRuntime

        return LambdaManagedRuntime
    if name == "concurrency_safe":
        from polylambda.safety import concurrency_safe

        return concurrency_safe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
