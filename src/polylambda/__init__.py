"""polylambda: AWS Lambda runtimes for Python, and Lambda Managed Instances on your own machine.

The public names. Whatever is not listed here is an internal of the version you have.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from polylambda.runtime.managed import LambdaManagedRuntime
    from polylambda.runtime.runtime import LambdaRuntime
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

# Where a name comes from that is not an exception: it is imported when it is asked for, so that each program starts with
# what it uses, and `python -m polylambda` with the garbage collector told to wait.
_HOMES = {
    "ClientContext": "context",
    "CognitoIdentity": "context",
    "LambdaContext": "context",
    "LambdaManagedRuntime": "runtime.managed",
    "LambdaRuntime": "runtime.runtime",
    "Middleware": "handlers",
    "ResponseStream": "response",
    "ResponseWriter": "response",
    "Waist": "handlers",
    "concurrency_safe": "safety",
    "current_context": "context",
}


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
