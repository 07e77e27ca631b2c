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

__version__ = "0.1.0"

__all__ = [
    "AlreadyRunning",
    "ClientContext",
    "CognitoIdentity",
    "ConfigurationError",
    "LambdaContext",
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
    "current_context",
]
