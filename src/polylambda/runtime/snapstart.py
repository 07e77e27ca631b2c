"""SnapStart: the hooks of `snapshot_restore_py` before a snapshot of the environment is taken and after it is restored.

See https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html.
"""

from __future__ import annotations

import sys

from polylambda import errors
from polylambda.errors import InitError, RuntimeApiError
from polylambda.rapi.blocking import BlockingClient
from polylambda.runtime.platform import post_init_error
from polylambda.runtime.verdict import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from polylambda.rapi.address import Address

    Hook = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def wait_for_restore(address: Address) -> None:
    """Run the hooks before the snapshot, wait until it is restored, run the hooks after it.

    Raises:
        SystemExit: 64 when it failed before the snapshot, 65 when it failed after it, as AWS's runtime exits.
    """
    # A function with hooks has imported the package; one without need not have it installed.
    hooks: Any = sys.modules.get("snapshot_restore_py")
    client = BlockingClient(address)
    try:
        try:
            before: list[Hook] = hooks.get_before_snapshot() if hooks else []
            while before:  # the last one first
                function, arguments, keywords = before.pop()
                function(*arguments, **keywords)
            reply = client.call(client.connect().restore_next())
            if not reply.accepted:
                reason = ": ".join(reply.reason())
                raise InitError(
                    errors.BEFORE_SNAPSHOT_ERROR, f"the platform refused to restore: {reply.status} {reason}"
                )
        except Exception as error:
            post_init_error(address, error, errors.BEFORE_SNAPSHOT_ERROR)
            raise SystemExit(64) from None
        try:
            after: list[Hook] = hooks.get_after_restore() if hooks else []
            for function, arguments, keywords in after:
                function(*arguments, **keywords)
        except Exception as error:
            told = tell(error)
            told.function_error_type = errors.AFTER_RESTORE_ERROR
            client.call(client.connect().restore_error(told))
            raise SystemExit(65) from None
    except RuntimeApiError as error:
        tell(error)
        raise SystemExit(65) from None
    finally:
        client.close()
