"""What a runtime tells the platform besides answers: that it cannot start, and that it has something to do at the end."""

from __future__ import annotations

import logging

from polylambda.errors import RuntimeApiError
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.rapi.headers import EXTENSION_IDENTIFIER
from polylambda.runtime.verdict import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.rapi.address import Address

_log = logging.getLogger("polylambda")

EXTENSION_NAME = "polylambda"


def post_init_error(address: Address, failure: BaseException, error_type: str | None = None) -> None:
    """Log why the runtime cannot start and tell the platform, by `error_type` if it is given.

    A platform that cannot be told changes nothing.
    """
    report = tell(failure)
    if error_type is not None:
        report.function_error_type = error_type
    connection = BlockingConnection(address)
    try:
        reply = connection.call(connection.open().init_error(report))
    except RuntimeApiError as error:
        _log.error("the init error could not be reported: %s", error)
    else:
        if reply.status not in (202, 403):  # 403: another process of the environment has already polled
            _log.error("the init error was refused: %s %s", reply.status, reply.reason())
    finally:
        connection.close()


class Extension:
    """An internal extension that wants no event: the platform sends SIGTERM only to environments that have one.

    It must register before the first poll, and keep a poll of its own open. See
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html.
    """

    __slots__ = ("_connection",)

    def __init__(self, address: Address) -> None:
        self._connection = BlockingConnection(address)

    def register(self) -> None:
        """Register; a platform without extensions is no failure, it only gives no warning before the end."""
        connection = self._connection
        try:
            reply = connection.call(connection.open().register_extension(EXTENSION_NAME))
            identifier = reply.headers.get(EXTENSION_IDENTIFIER)
            if not reply.accepted or not identifier:
                _log.debug("no extension registered: %s %s", reply.status, reply.reason())
                connection.close()
                return
            connection.send(connection.open().extension_next(identifier))
        except RuntimeApiError as error:
            _log.debug("no extension registered: %s", error)
            connection.close()

    def close(self) -> None:
        """Close the extension's connection."""
        self._connection.close()
