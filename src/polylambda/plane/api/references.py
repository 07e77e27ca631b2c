"""The ways in which callers of AWS's API name functions and capacity providers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from polylambda.plane.api import errors

MAX_NAME = 64

# A name, name:qualifier, an ARN, or the part of one that begins with the account.
_FUNCTION = re.compile(
    r"(?:(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?P<account>\d{12}):function:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+))?"
)


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A function, and the version or alias of it, that a caller named.

    Attributes:
        name: of the function.
        qualifier: version or alias; None when the caller named neither.
    """

    name: str
    qualifier: str | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """Region and account that everything here is in, and the ARNs that follow."""

    region: str
    account: str

    def function_arn(self, name: str, qualifier: str | None = None) -> str:
        """Return the ARN of a function, or of a version or alias of it."""
        arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"
        return f"{arn}:{qualifier}" if qualifier else arn

    def provider_arn(self, name: str) -> str:
        """Return the ARN of a capacity provider."""
        return f"arn:aws:lambda:{self.region}:{self.account}:capacity-provider:{name}"

    def function(self, reference: str, qualifier: str | None = None) -> FunctionReference:
        """Return what `reference` and the separate parameter `qualifier` mean.

        Raises:
            ApiError: they contradict each other, are no reference, or mean another account or region.
        """
        match = _FUNCTION.fullmatch(reference)
        if match is None:
            raise errors.invalid_parameter(
                f"{reference[:200]!r} is not a function: give a name, name:qualifier, an ARN, or account:function:name"
            )
        own = match["qualifier"]
        if own and qualifier and own != qualifier:
            raise errors.invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        if (match["account"] or self.account) != self.account or (match["region"] or self.region) != self.region:
            raise errors.function_not_found(reference)
        return FunctionReference(match["name"], own or qualifier or None)

    def provider(self, reference: str) -> str:
        """Return the name of the capacity provider that `reference`, a name or an ARN, means.

        Raises:
            ApiError: it means another account or region.
        """
        name = reference.rpartition(":")[2]
        if reference not in (name, self.provider_arn(name)):
            raise errors.not_found(f"Capacity provider not found: {reference}")
        return name
