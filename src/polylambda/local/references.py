"""The ways in which callers of AWS's API may refer to the one function that is here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.local.apierror import ApiError

if TYPE_CHECKING:
    from polylambda.server.function import FunctionConfiguration

LATEST = "$LATEST"

# A name, name:qualifier, an ARN, or a part of one: the FunctionName parameter of
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
_REFERENCE = re.compile(
    r"(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?\d{12}:function:)?"
    r"(?P<name>[A-Za-z0-9_.-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referent:
    """What a caller referred to.

    Attributes:
        arn: as the function sees it in `context.invoked_function_arn`.
        version: what runs: the version when the caller named one, else `$LATEST`.
    """

    arn: str
    version: str = LATEST


def resolve(function: FunctionConfiguration, reference: str, qualifier: str | None = None) -> Referent:
    """Return what `reference` (the function's name in a path) and `qualifier` (in a query) mean.

    Every qualifier runs the same code, since there is only one here.

    Raises:
        ApiError: they contradict each other (400), or mean another function (404).
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ApiError(
            400,
            "InvalidParameterValueException",
            f"{reference!r} is not a function: give a name, name:qualifier, an ARN, or account:function:name",
        )
    name, own_qualifier = match["name"], match["qualifier"]
    if own_qualifier and qualifier and own_qualifier != qualifier:
        raise ApiError(
            400,
            "InvalidParameterValueException",
            f"the function name says qualifier {own_qualifier!r}, the Qualifier parameter {qualifier!r}",
        )
    if name != function.name:
        arn = function.arn.removesuffix(function.name) + name
        raise ApiError(
            404,
            "ResourceNotFoundException",
            f"Function not found: {arn} (this server runs {function.name!r}; "
            "the environment variable AWS_LAMBDA_FUNCTION_NAME gives it another name)",
        )
    qualifier = own_qualifier or qualifier
    if not qualifier:
        return Referent(arn=function.arn)
    is_version = qualifier.isdigit() or qualifier.startswith(LATEST)
    return Referent(arn=f"{function.arn}:{qualifier}", version=qualifier if is_version else LATEST)
