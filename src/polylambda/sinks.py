"""Where log text goes: plain lines on a descriptor, or the platform's frames.

A sink knows bytes and descriptors, not formats: see `polylambda.formats`. Nothing here raises because a line could not
be written; a function does not fail for that.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT = 1
STDERR = 2

_FRAME_TYPE = 0xA55A0002
_FRAME_TEXT = 1  # added to the type when the message is no JSON
_MAX_LEVEL = 50  # logging.CRITICAL

# One line at a time per process. Reentrant, because a signal handler that prints may interrupt a write.
_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


# A fork may happen while another thread holds the lock, and that thread is not in the child.
os.register_at_fork(after_in_child=_renew_lock)


class LineSink:
    """Writes lines to a descriptor; a line that cannot be written is dropped."""

    __slots__ = ("_write", "fd")

    separator = "\r"
    """What keeps the lines of one message together: a newline would end the log event."""

    def __init__(self, fd: int = STDOUT, write: Callable[[int, memoryview], int] = os.write) -> None:
        self.fd = fd
        self._write = write

    def write(self, text: str, level: int = 0, *, as_json: bool = False) -> None:
        """Write `text`, with a newline at its end if it has none."""
        self.write_raw(text if text.endswith("\n") else text + "\n")

    def write_raw(self, text: str) -> None:
        """Write `text` as it is."""
        write_all(self.fd, _encode(text), self._write)


class FramedSink:
    """Writes frames to the descriptor `_LAMBDA_TELEMETRY_LOG_FD`, so that the platform knows where a message ends.

    A frame is big-endian: type (4 bytes: a constant, the level, text or JSON), length of the message in bytes (4),
    microseconds since the epoch (8), the message.
    """

    __slots__ = ("_write", "fd")

    separator = "\n"

    def __init__(self, fd: int, write: Callable[[int, memoryview], int] = os.write) -> None:
        self.fd = fd
        self._write = write

    def write(self, text: str, level: int = 0, *, as_json: bool = False) -> None:
        """Write one frame; `level` is a level of `logging`, 0 for none."""
        message = _encode(text)
        timestamp = time.time_ns() // 1000
        frame = b"".join(
            (
                frame_type(level, as_json=as_json).to_bytes(4, "big"),
                len(message).to_bytes(4, "big"),
                timestamp.to_bytes(8, "big"),
                message,
            )
        )
        write_all(self.fd, frame, self._write)


Sink = LineSink | FramedSink


def open_sink(log_fd: str | None) -> Sink:
    """Return the sink that the platform asks for: frames on descriptor `log_fd`, or lines on stdout.

    Raises:
        ConfigurationError: `log_fd` is not the number of an open descriptor.
    """
    if log_fd is None:
        return LineSink(STDOUT)
    try:
        fd = int(log_fd)
        os.set_inheritable(fd, False)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(f"_LAMBDA_TELEMETRY_LOG_FD={log_fd!r} must be an open descriptor's number") from error
    return FramedSink(fd)


def frame_type(level: int, *, as_json: bool) -> int:
    """Return the type of a frame for a level of `logging`, rounded down to one of its six."""
    step = min(level, _MAX_LEVEL) // 10
    code = step + 1 if step > 0 else 0
    return _FRAME_TYPE | code << 2 | (0 if as_json else _FRAME_TEXT)


def write_all(fd: int, data: bytes, write: Callable[[int, memoryview], int] = os.write) -> None:
    """Write all of `data` with no other line in between, waiting for a descriptor that does not block.

    What cannot be written (no space, no reader, closed) is dropped.
    """
    rest = memoryview(data)
    with _lock:
        while rest:
            try:
                rest = rest[write(fd, rest) :]
            except InterruptedError:
                continue
            except BlockingIOError:
                _wait_writable(fd)
            except OSError:
                return


def connect_output(path: str) -> None:
    """Connect stdout and stderr of this process to the platform's log socket, one connection each.

    `path` is `_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET`; a worker process of a managed environment calls this once, so
    that its lines do not mix with those of other workers. There is no handshake: bytes are log lines from the start.

    Raises:
        ConfigurationError: nobody listens at `path`.
    """
    import socket

    for stream, fd in ((sys.stdout, STDOUT), (sys.stderr, STDERR)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(path)
            except OSError as error:
                setting = f"_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET={path!r}"
                raise ConfigurationError(f"{setting} must be a socket that takes connections: {error}") from error
            stream.flush()
            os.dup2(connection.fileno(), fd)


def _encode(text: str) -> bytes:
    # Lone surrogates become their escape, which inside JSON is the same character again.
    return text.encode("utf-8", "backslashreplace")


def _wait_writable(fd: int) -> None:
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()
