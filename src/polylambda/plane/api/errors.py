"""AWS's exceptions with the status and the spelling that botocore's model gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polylambda.local.apierror import ApiError
from polylambda.plane.api.model import lambda_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.control import VersionStatus


class LambdaError(ApiError):
    """An exception of the Lambda service; its status is the model's."""

    def __init__(self, name: str, message: str, **members: str) -> None:
        shape = lambda_model().error(name)
        assert shape is not None, f"Lambda has no exception {name}"
        facts: Mapping[str, Any] = shape.metadata["error"]
        super().__init__(facts["httpStatusCode"], name, message, **members)
        self.message_member = "Message" if "Message" in shape.members else "message"  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def invalid_parameter(message: str) -> ApiError:
    """A value that the model allows, and the service does not."""
    return LambdaError("InvalidParameterValueException", message)


def not_found(message: str) -> ApiError:
    """What the caller names is not there."""
    return LambdaError("ResourceNotFoundException", message)


def conflict(message: str) -> ApiError:
    """What the caller wants does not go with what is there."""
    return LambdaError("ResourceConflictException", message)


def function_not_found(arn: str) -> ApiError:
    """There is no such function, or no such version or alias of it."""
    return not_found(f"Function not found: {arn}")


def not_active(status: VersionStatus) -> ApiError:
    """The version takes no invocations in its state."""
    reason = f" ({status.reason})" if status.reason else ""
    return conflict(
        "The operation cannot be performed at this time. The function is currently in the following state: "
        f"{status.state.value}{reason}"
    )


def validation_error(problems: list[str]) -> ApiError:
    """Values break the model's constraints; each of `problems` tells of one."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return ApiError(400, "ValidationException", f"{count}: {'; '.join(problems[:10])}")


def malformed(problem: str) -> ApiError:
    """The body is not the JSON that the operation takes."""
    return LambdaError("InvalidRequestContentException", f"Could not parse request body into json: {problem}")


def not_implemented(operation: str) -> ApiError:
    """The service has such an operation, and the plane does not."""
    return ApiError(501, "NotImplementedException", f"{operation} is not implemented by polylambda")


def unknown_operation(method: str, path: str) -> ApiError:
    """Nothing of the service is at that path."""
    return ApiError(404, "UnknownOperationException", f"{method} {path[:200]} is no operation of Lambda's API")
