"""SnapStart: the hooks of `snapshot_restore_py` before a snapshot of the environment is taken and after it is restored.

See https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html.
"""

from __future__ import annotations

import logging
import sys

from polylambda import errors
from polylambda.errors import InitError, RuntimeApiError
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.runtime.platform import post_init_error
from polylambda.runtime.verdict import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from polylambda.rapi.address import Address

    Hook = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

_log = logging.getLogger("polylambda")


def wait_for_restore(address: Address) -> None:
    """Run the hooks before the snapshot, wait until it is restored, run the hooks after it.

    Raises:
        SystemExit: 64 when it failed before the snapshot, 65 when it failed after it, as AWS's runtime exits.
    """
    # A function with hooks has imported the package; one without need not have it installed.
    hooks: Any = sys.modules.get("snapshot_restore_py")
    connection = BlockingConnection(address)
    try:
        _prepare(hooks.get_before_snapshot() if hooks else [], connection)
    except Exception as error:  # a hook's, or the platform is gone
        connection.close()
        post_init_error(address, error, errors.BEFORE_SNAPSHOT_ERROR)
        raise SystemExit(64) from None
    try:
        _resume(hooks.get_after_restore() if hooks else [])
    except Exception as error:  # a hook's
        told = tell(error)
        told.function_error_type = errors.AFTER_RESTORE_ERROR
        try:
            connection.call(connection.open().restore_error(told))
        except RuntimeApiError as lost:
            _log.error("the restore error could not be reported: %s", lost)
        raise SystemExit(65) from None
    finally:
        connection.close()


def _prepare(hooks: list[Hook], connection: BlockingConnection) -> None:
    """Run the hooks before the snapshot, the last one first, and wait for the restore."""
    while hooks:
        function, arguments, keywords = hooks.pop()
        function(*arguments, **keywords)
    reply = connection.call(connection.open().restore_next())
    if not reply.accepted:
        reason = ": ".join(reply.reason())
        raise InitError(errors.BEFORE_SNAPSHOT_ERROR, f"the platform refused to restore: {reply.status} {reason}")


def _resume(hooks: list[Hook]) -> None:
    """Run the hooks after the restore, the first one first."""
    for function, arguments, keywords in hooks:
        function(*arguments, **keywords)
