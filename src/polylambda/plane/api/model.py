"""botocore's model of the Lambda service: which request is which operation, and what its shapes are."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from botocore.model import Shape

_LABEL = re.compile(r"\{(\w+)\+?\}")


@dataclass(frozen=True, slots=True)
class Target:
    """The operation that a request is for.

    Attributes:
        operation: botocore's model of it.
        labels: values of the path's variable parts, decoded, by their names.
        query: decoded parameters, in their order.
    """

    operation: OperationModel
    labels: Mapping[str, str]
    query: Sequence[tuple[str, str]]


class _Route:
    """One operation's method and path."""

    def __init__(self, operation: OperationModel) -> None:
        http: Mapping[str, Any] = operation.http
        path, _, query = http["requestUri"].partition("?")
        self.operation = operation
        self.method: str = http["method"]
        self.query: frozenset[tuple[str, str]] = frozenset(parse_qsl(query, keep_blank_values=True))
        parts = _LABEL.split(path.rstrip("/"))  # text, label, text, label, ...
        pattern = "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        self.path = re.compile(f"{pattern}/?")  # older SDKs send a slash at the end of some


class LambdaModel:
    """The Lambda service as botocore knows it."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            ConfigurationError: the botocore that is installed is older than Lambda Managed Instances.
        """
        try:
            document = Loader().load_service_model("lambda", "service-2")
        except UnknownServiceError as error:
            raise ConfigurationError("botocore has no model of Lambda: install polylambda[plane] anew") from error
        self._service = ServiceModel(document, "lambda")
        if "CreateCapacityProvider" not in self._service.operation_names:
            raise ConfigurationError("this botocore does not know capacity providers: install botocore 1.44 or later")
        routes = [_Route(self._service.operation_model(name)) for name in self._service.operation_names]
        # The most demanding first: some operations differ from others in a fixed query parameter only.
        self._routes = sorted(routes, key=lambda route: len(route.query), reverse=True)

    def route(self, method: str, path: str, query: str) -> Target | None:
        """Return the operation for a request; `path` and `query` are percent-encoded, as they were sent."""
        parameters = parse_qsl(query, keep_blank_values=True)
        for route in self._routes:
            if route.method == method and (match := route.path.fullmatch(path)) and route.query.issubset(parameters):
                labels = {name: unquote(text) for name, text in match.groupdict().items()}
                return Target(route.operation, labels, parameters)
        return None

    def error(self, name: str) -> Shape | None:
        """Return the shape of the exception of that name; None for one that the model does not have."""
        for shape in self._service.error_shapes:
            if shape.name == name:
                return shape
        return None


@functools.cache
def lambda_model() -> LambdaModel:
    """Return the model, loaded once: it is large, and never changes."""
    return LambdaModel()
