"""The exceptions of polylambda: one root, children by what the caller can do about them.

How an exception is told to the platform and the log is in `polylambda.report`.

    PolylambdaError
        ConfigurationError      correct the setting that the message names, then start again
        AlreadyRunning          end the other runtime of this process first
        Fault                   the platform is told an AWS fault type instead of the class name
            InitError           correct the function's code or its handler name
            ContextError        the caller's client context or identity is not JSON
            UnmarshalError      the caller's event cannot be read
                ValidationError     it was read, but does not have the shape that the handler declares
            MarshalError        return something that can be written as JSON
        ResponseError           the handler used its response writer out of order
        LocalProtocolError      report it: polylambda was about to send what the protocol does not allow there
        RuntimeApiError         what goes wrong between us and the Runtime API
            ConnectionLost      connect again: the connection broke, or nothing listens
            ProtocolError       the connection is unusable: the other side sent what is not the protocol
            Refused             the Runtime API understood and said no
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    ResponseCode = Literal[
        "answered",  # a second answer to one invocation
        "finished",  # a write, or a second finish, after the end of the response
        "prelude_repeated",
        "prelude_late",  # a prelude after the first byte of the body
        "expired",  # the writer outlived its invocation
        "unanswered",  # the handler ended and had written nothing
    ]

# AWS's fault types, as its Python runtime sends them.
IMPORT_MODULE_ERROR = "Runtime.ImportModuleError"
USER_CODE_SYNTAX_ERROR = "Runtime.UserCodeSyntaxError"
HANDLER_NOT_FOUND = "Runtime.HandlerNotFound"
MALFORMED_HANDLER_NAME = "Runtime.MalformedHandlerName"
BUILT_IN_MODULE_CONFLICT = "Runtime.BuiltInModuleConflict"
BEFORE_SNAPSHOT_ERROR = "Runtime.BeforeSnapshotError"
AFTER_RESTORE_ERROR = "Runtime.AfterRestoreError"
INIT_ERROR = "Runtime.InitError"
CONTEXT_UNMARSHAL_ERROR = "Runtime.LambdaContextUnmarshalError"
UNMARSHAL_ERROR = "Runtime.UnmarshalError"
MARSHAL_ERROR = "Runtime.MarshalError"


class PolylambdaError(Exception):
    """Catch everything that polylambda raises of its own accord."""


class ConfigurationError(PolylambdaError):
    """A setting is wrong. The message is one sentence: the setting, its value, and what it takes."""


class AlreadyRunning(PolylambdaError):
    """A process holds one runtime at a time, and another one is running."""


class Fault(PolylambdaError):
    """An error that AWS has a name for: `fault_type` replaces the class name in what the platform is told."""

    fault_type: str = "Runtime.Unknown"
    stack_trace: list[str] | None = None
    """Lines to show instead of the traceback; None: the traceback."""


class InitError(Fault):
    """The function cannot start: its module, its handler's name, or code that runs before the first event."""

    def __init__(self, fault_type: str, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(fault_type, message, stack_trace)
        self.fault_type = fault_type
        self.message = message
        self.stack_trace = stack_trace

    def __str__(self) -> str:
        return self.message


class ContextError(Fault):
    """The metadata of an invocation (client context, Cognito identity) is not the JSON it should be."""

    fault_type = CONTEXT_UNMARSHAL_ERROR


class UnmarshalError(Fault):
    """The event cannot be decoded."""

    fault_type = UNMARSHAL_ERROR


class ValidationError(UnmarshalError):
    """The event is not what the handler's annotation says.

    `path` is the place in the event, such as `event.items[3].price`; the message begins with it.
    """

    fault_type = "ValidationError"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class MarshalError(Fault):
    """The handler's result cannot be encoded."""

    fault_type = MARSHAL_ERROR


class ResponseError(PolylambdaError):
    """A step on a response that its rules forbid; `code` says which rule.

    The step changed nothing: what was written before still stands, and the invocation can go on.
    """

    def __init__(self, code: ResponseCode, message: str) -> None:
        super().__init__(code, message)
        self.code: ResponseCode = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class LocalProtocolError(PolylambdaError):
    """A request that the protocol does not allow at this point: a fault of polylambda's own, nothing was sent."""


class RuntimeApiError(PolylambdaError):
    """The Runtime API could not be used."""


class ConnectionLost(RuntimeApiError):
    """The connection to the Runtime API broke, or could not be made."""


class ProtocolError(RuntimeApiError):
    """The bytes that came are not the Runtime API's protocol."""


class Refused(RuntimeApiError):
    """The Runtime API answered with an error.

    `status` is the HTTP status, `error_type` AWS's name such as `InvalidRequestID` (empty when the answer had none).
    """

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(status, error_type, message)
        self.status = status
        self.error_type = error_type
        self.message = message

    def __str__(self) -> str:
        return f"{self.status} {self.error_type or 'error'}: {self.message}"
