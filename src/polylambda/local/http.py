"""HTTP to users: an ASGI application on a TCP port, served by uvicorn."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from typing import TYPE_CHECKING

import uvicorn

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Generator

    from polylambda.local.exchange import Receive, Scope, Send


OTHER_PORT = "set LOCAL_LAMBDA_PORT (`polylambda dev` also takes --port) to another, or to 0 for any free one"


class HttpServer(uvicorn.Server):
    """Serves an application until it is told to stop.

    uvicorn's own server, except that signals and log lines are left to us.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        sock: socket.socket,
        *,
        protocol: type[asyncio.Protocol] | None = None,
        keep_alive: int = 5,
    ) -> None:
        """Describe the server.

        Args:
            app: what it serves.
            sock: where; it listens already.
            protocol: one of uvicorn's HTTP protocols, or a child of one; None: uvicorn chooses.
            keep_alive: seconds that a connection may be idle.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol or "auto",
                timeout_keep_alive=keep_alive,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
            )
        )
        # It would report each connection that is cut off on purpose.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        self._sock = sock

    async def run_until_stopped(self) -> None:
        """Serve; return when every request was answered after `stop`, or at once after `force`."""
        await self.serve(sockets=[self._sock])

    def stop(self) -> None:
        """Take no more requests, and finish those that were taken."""
        self.should_exit = True

    def force(self) -> None:
        """Stop waiting for requests that are not finished."""
        self.should_exit = self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


def listen(host: str, port: int, *, advice: str = OTHER_PORT) -> socket.socket:
    """Return a socket that listens on `host` and `port` (0: any free one); `advice` says how users choose another port.

    Raises:
        ConfigurationError: that is not possible; the message says what to do.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.create_server(address[:2], family=family, backlog=1024)
        # Connections inherit it. asyncio sets it on sockets that name their protocol, which those of Python do not; and
        # without it, what follows the head of an answer waits 40 ms for the caller's acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigurationError(f"there is no host {host!r} to listen on; 127.0.0.1 is the usual one") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} of {host} is in use by another program: end it, or {advice}"
            ) from error
        raise ConfigurationError(f"cannot listen on port {port} of {host}: {error.strerror}") from error


def url(sock: socket.socket) -> str:
    """Return the URL under which a program on this machine reaches `sock`, without a slash at the end."""
    host: str
    port: int
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
