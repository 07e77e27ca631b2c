"""What belongs to the account or to functions as a whole: settings, and reserved concurrency.

See https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html and API_PutFunctionConcurrency.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.code import MAX_UNZIPPED, MAX_ZIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document

_TOTAL_CODE_SIZE = 300 * 1024**3
_CONCURRENCY = 1000


class Account:
    """The operations on the account, and on reserved concurrency."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "GetAccountSettings": self.settings,
            "PutFunctionConcurrency": self.put_concurrency,
            "GetFunctionConcurrency": self.get_concurrency,
            "DeleteFunctionConcurrency": self.delete_concurrency,
        }

    def settings(self, parameters: Document) -> Document:
        """Tell AWS's limits, and what is used of them."""
        records = self._store.versions()
        sizes = {record.code: record.document["CodeSize"] for record in records}
        return {
            "AccountLimit": {
                "TotalCodeSize": _TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": MAX_UNZIPPED,
                "CodeSizeZipped": MAX_ZIPPED,
                "ConcurrentExecutions": _CONCURRENCY,
                "UnreservedConcurrentExecutions": _CONCURRENCY,
            },
            "AccountUsage": {"TotalCodeSize": sum(sizes.values()), "FunctionCount": len(self._store.functions())},
        }

    def put_concurrency(self, parameters: Document) -> Document:
        """Keep a reserved concurrency. Managed instances are not limited by it, but 0 stops all invocations."""
        function = self._resources.function(parameters["FunctionName"], changing=True).function_name
        self._store.put_reserved_concurrency(function, parameters["ReservedConcurrentExecutions"])
        return {"ReservedConcurrentExecutions": parameters["ReservedConcurrentExecutions"]}

    def get_concurrency(self, parameters: Document) -> Document:
        """Tell the reserved concurrency."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        return {"ReservedConcurrentExecutions": self._store.reserved_concurrency(function)}

    def delete_concurrency(self, parameters: Document) -> Document:
        """Take the reserved concurrency away."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        self._store.put_reserved_concurrency(function, None)
        return {}
