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
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            colon = ""
        if (
            not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536)
            or not text.isprintable()
        ):
            raise ConfigurationError(
                f"AWS_LAMBDA_RUNTIME_API is {text!r}: it must be host:port, such as 127.0.0.1:9001 or [::1]:9001"
            )
        self.text = text
        self.host = host
        self.port = int(port)

    def resolve(self) -> list[tuple[int, Any]]:
        """Return the (family, socket address) pairs to try, in order.

        Raises:
            ConnectionLost: the name cannot be resolved.
        """
        try:
            found = _socket.getaddrinfo(self.host, self.port, _socket.AF_UNSPEC, _socket.SOCK_STREAM)
        except OSError as error:
            raise ConnectionLost(f"cannot resolve AWS_LAMBDA_RUNTIME_API={self.text}: {error}") from error
        return [(entry[0], entry[4]) for entry in found]

    def connect(self, stopped: Callable[[], bool]) -> _socket.socket:
        """Open a blocking connection.

        `stopped` is asked ten times a second whether to give up.

        Raises:
            ConnectionLost: nothing answers, or `stopped` said so.
        """
        reason = "it has no address"
        for family, address in self.resolve():
            sock = _socket.socket(family, _socket.SOCK_STREAM)
            try:
                _connect(sock, address, stopped)
                sock.setblocking(True)
                sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                reason = error.strerror or str(error)
            else:
                return sock
        raise ConnectionLost(f"no Runtime API at {self.text} (AWS_LAMBDA_RUNTIME_API): {reason}")

    def __repr__(self) -> str:
        return f"Address({self.text!r})"


def _connect(sock: _socket.socket, address: Any, stopped: Callable[[], bool]) -> None:
    sock.setblocking(False)
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        waiting = select.poll()
        waiting.register(sock.fileno(), select.POLLOUT)
        for _ in range(int(CONNECT_TIMEOUT / _SLICE)):
            if waiting.poll(_SLICE * 1000):
                code = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
                break
            if stopped():
                break
        else:
            code = errno.ETIMEDOUT
    if code:
        raise OSError(code, os.strerror(code))
