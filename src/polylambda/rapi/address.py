"""Where the Runtime API listens: the value of `AWS_LAMBDA_RUNTIME_API`, and connections to it."""

from __future__ import annotations

import _socket
import errno
import os
import select

from polylambda.errors import ConfigurationError, ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONNECT_TIMEOUT = 5.0  # seconds for one attempt; the Runtime API is on the same host
_SLICE = 0.1  # seconds between looks at whether to stop


class Address:
    """A parsed `host:port`.

    Attributes:
        text: as it was given; the value of the Host header.
        host: name or address, without brackets.
        port: TCP port.
    """

    __slots__ = ("host", "port", "text")

    def __init__(self, text: str) -> None:
        """Parse `text`: `127.0.0.1:9001`, `localhost:9001`, `[::1]:9001`.

        Raises:
            ConfigurationError: no host, or no port from 1 to 65535.
        """
        host, _, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if not _is_host(host, bracketed) or not _is_port(port):
            raise ConfigurationError(
                f"AWS_LAMBDA_RUNTIME_API is {text!r}: it must be host:port, such as 127.0.0.1:9001 or [::1]:9001"
            )
        self.text = text
        self.host = host
        self.port = int(port)

    def resolve(self, *, numeric: bool = False) -> list[tuple[int, Any]]:
        """Return the (family, socket address) pairs to try, in order; with `numeric`, none for a name.

        Looking up a name may block.

        Raises:
            ConnectionLost: the name cannot be resolved.
        """
        flags = _socket.AI_NUMERICHOST if numeric else 0
        try:
            # As bytes, because text goes through the codec for international names, whose import costs milliseconds.
            host = self.host.encode()
            found = _socket.getaddrinfo(host, self.port, _socket.AF_UNSPEC, _socket.SOCK_STREAM, 0, flags)
        except OSError as error:
            if numeric:
                return []
            raise self.unreachable(error) from error
        return [(entry[0], entry[4]) for entry in found]

    def connect(self, stopped: Callable[[], bool]) -> _socket.socket:
        """Open a blocking connection.

        `stopped` is asked ten times a second whether to give up.

        Raises:
            ConnectionLost: nothing answers, or `stopped` said so.
        """
        failure: OSError | None = None
        for family, address in self.resolve():
            sock = _socket.socket(family, _socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                _connect(sock, address, stopped)
                sock.setblocking(True)
                sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise self.unreachable(failure) from failure

    def connect_at_once(self) -> _socket.socket:
        """Open a blocking connection, or none within a tenth of a second. Raises ConnectionLost."""
        return self.connect(lambda: True)

    def unreachable(self, reason: OSError | None) -> ConnectionLost:
        """Return the error that says that nothing can be reached here, and why."""
        return ConnectionLost(f"no Runtime API at {self.text} (AWS_LAMBDA_RUNTIME_API): {_reason(reason)}")

    def broken(self, reason: OSError) -> ConnectionLost:
        """Return the error that says that a connection broke, and why."""
        return ConnectionLost(
            f"the connection to the Runtime API at {self.text} (AWS_LAMBDA_RUNTIME_API) broke: {_reason(reason)}"
        )

    def __repr__(self) -> str:
        return f"Address({self.text!r})"


def _connect(sock: _socket.socket, address: Any, stopped: Callable[[], bool]) -> None:
    """Connect a non-blocking socket; raises OSError."""
    slices = int(CONNECT_TIMEOUT / _SLICE)
    waiting = select.poll()
    waiting.register(sock.fileno(), select.POLLOUT)
    while code := sock.connect_ex(address):
        if code == errno.EISCONN:
            return
        if code not in (errno.EINPROGRESS, errno.EALREADY):
            raise OSError(code, os.strerror(code))
        while not waiting.poll(_SLICE * 1000):
            slices -= 1
            if stopped() or not slices:
                raise TimeoutError


def _reason(error: OSError | None) -> str:
    if error is None:
        return "it has no address"
    if error.errno is None:
        return "timed out"
    # asyncio puts words of its own for the system's; the errors of name lookups have negative numbers.
    return os.strerror(error.errno) if error.errno > 0 else error.strerror or str(error)


def _is_host(text: str, bracketed: bool) -> bool:
    return text != "" and text.isascii() and text.isprintable() and " " not in text and (":" not in text or bracketed)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536
