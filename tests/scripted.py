"""A Runtime API that does what a test's script says: raw sockets in a thread, requests out, bytes in, no timing.

A script is a function of the server. It accepts connections, takes requests and sends bytes, one after the other:

    def script(server):
        peer = server.accept()
        peer.poll()
        peer.send_event("id-1", b"{}")
        assert peer.request().body == b"answer"
        peer.reply(202)

What it raises is raised again by the `with` block that runs it. Every step fails after `PATIENCE` instead of hanging.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

PATIENCE = 20.0  # seconds; only a failing test waits for it
NEXT = "/2018-06-01/runtime/invocation/next"
EVENT_HEADERS = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "Lambda-Runtime-Trace-Id": "",
    "Lambda-Runtime-Client-Context": "",
    "Lambda-Runtime-Cognito-Identity": "",
}


class Request:
    """A request as the server took it; `wire` is what it was on the wire."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = b""
        self.trailers: dict[str, str] = {}

    @property
    def is_streamed(self) -> bool:
        return self.headers.get("transfer-encoding") == "chunked"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path} with {len(self.body)} bytes>"


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._buffer = bytearray()

    # What comes in

    def head(self) -> Request:
        """Take the head of a request, and nothing of its body."""
        return Request(self._until(b"\r\n\r\n"))

    def request(self) -> Request:
        """Take a whole request."""
        request = self.head()
        if request.is_streamed:
            while chunk := self.chunk():
                request.body += chunk
            while line := self._until(b"\r\n").decode():
                name, _, value = line.partition(":")
                request.trailers[name.lower()] = value.strip()
        else:
            request.body = self.take(int(request.headers.get("content-length", 0)))
        return request

    def poll(self) -> Request:
        """Take a poll."""
        request = self.request()
        assert (request.method, request.path) == ("GET", NEXT)
        return request

    def answer(self, request_id: str, kind: str = "response") -> Request:
        """Take an answer."""
        request = self.request()
        assert (request.method, request.path) == ("POST", f"/2018-06-01/runtime/invocation/{request_id}/{kind}")
        return request

    def chunk(self) -> bytes:
        """Take one chunk of a body; empty for the last."""
        size = int(self._until(b"\r\n"), 16)
        data = self.take(size)
        if size:
            assert self.take(2) == b"\r\n"
        return data

    def take(self, size: int) -> bytes:
        """Take `size` bytes."""
        while len(self._buffer) < size:
            self._receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def rest(self) -> bytes:
        """Take everything until the client closes its connection, however it does."""
        with contextlib.suppress(ConnectionResetError, EOFError):
            while True:
                self._receive()
        return self.take(len(self._buffer))

    # What goes out

    def send(self, data: bytes, *, pieces: int | None = None) -> None:
        """Send `data`, in pieces of `pieces` bytes."""
        for at in range(0, len(data), pieces or len(data)):
            self.sock.sendall(data[at : at + (pieces or len(data))])

    def send_event(
        self,
        request_id: str,
        payload: bytes = b"{}",
        headers: dict[str, str] | None = None,
        *,
        pieces: int | None = None,
    ) -> None:
        """Send an invocation."""
        self.send(event(request_id, payload, headers), pieces=pieces)

    def reply(self, status: int, error_type: str = "", *, close: bool = False, pieces: int | None = None) -> None:
        """Send the reply to anything but a poll."""
        self.send(reply(status, error_type, close=close), pieces=pieces)

    def close(self) -> None:
        """Close in good order; with unread bytes the kernel makes a reset of it."""
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end_sending(self) -> None:
        """Say that nothing more will be sent; what comes is still taken."""
        self.sock.shutdown(socket.SHUT_WR)

    def _until(self, end: bytes) -> bytes:
        while (at := self._buffer.find(end)) < 0:
            self._receive()
        data = self.take(at)
        self.take(len(end))
        return data

    def _receive(self) -> None:
        data = self.sock.recv(256 * 1024)
        if not data:
            raise EOFError(f"the client closed the connection; before, it sent {bytes(self._buffer[:200])!r}")
        self._buffer += data


class ScriptedServer:
    """Runs a script in a thread while the `with` block lasts."""

    def __init__(self, script: Callable[[ScriptedServer], None], *, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._listener.settimeout(PATIENCE)
        self._script = script
        self._peers: list[Peer] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="scripted server")
        self.stop_client: Callable[[], None] = lambda: None  # set by whoever runs the client
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def accept(self) -> Peer:
        """Wait for the next connection."""
        sock, _ = self._listener.accept()
        peer = Peer(sock)
        self._peers.append(peer)
        return peer

    def close(self) -> None:
        """Listen no more; an `accept` under way ends with an error."""
        _shut(self._listener)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = self._failure is not None
        if kind is not None and not failed:
            self._give_up()  # the client has given up: the script waits in vain
        self._thread.join()
        self._listener.close()
        for peer in self._peers:
            peer.sock.close()
        if self._failure is not None and (failed or kind is None):
            raise self._failure

    def _run(self) -> None:
        try:
            self._script(self)
        except BaseException as error:
            self._failure = error
            self._give_up()  # the client must not wait for what never comes

    def _give_up(self) -> None:
        self.close()
        for peer in self._peers:
            _shut(peer.sock)


def _shut(sock: socket.socket) -> None:
    """Wake whoever waits for a socket; its descriptor stays taken, so that nobody waits for another one by mistake."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def event(request_id: str, payload: bytes = b"{}", headers: dict[str, str] | None = None) -> bytes:
    """Return an invocation as it is on the wire; `headers` replace the usual ones or come on top."""
    fields = {"Lambda-Runtime-Aws-Request-Id": request_id, **EVENT_HEADERS, **(headers or {})}
    if "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(payload))
    return head("200 OK", fields) + payload


def reply(status: int, error_type: str = "", *, close: bool = False) -> bytes:
    """Return a reply as the platform gives them."""
    body = b'{"status":"OK"}\n'
    if status >= 300:
        body = b'{"errorMessage":"because","errorType":"%b"}' % error_type.encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if close:
        fields["Connection"] = "close"
    return head(f"{status} Said So", fields) + body


def head(status: str, fields: dict[str, str]) -> bytes:
    """Return a status line and header fields."""
    return "\r\n".join((f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", "")).encode()
