"""Where log text goes: nothing lost that can be written, nothing raised for what cannot."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from polylambda.errors import ConfigurationError
from polylambda.sinks import FramedSink, LineSink, frame_type, open_sink, write_all


class Reluctant:
    """A descriptor that takes `most` bytes a call, and raises what it is told, in order."""

    def __init__(self, most: int = 4, errors: tuple[int | None, ...] = ()) -> None:
        self.most = most
        self.errors = list(errors)
        self.written = b""
        self.calls = 0

    def __call__(self, fd: int, data: memoryview) -> int:
        self.calls += 1
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise OSError(error, os.strerror(error))
        self.written += data[: self.most]
        return min(self.most, len(data))


def test_twelve_bytes_go_in_three_calls():
    write = Reluctant(4)
    LineSink(1, write).write("hello world\n")
    assert write.written == b"hello world\n"
    assert write.calls == 3


def test_an_interrupted_write_goes_on():
    write = Reluctant(4, (None, errno.EINTR, errno.EINTR))
    LineSink(1, write).write("hello world\n")
    assert write.written == b"hello world\n"
    assert write.calls == 5


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO])
def test_a_line_that_cannot_be_written_is_dropped_and_the_next_one_is_not(error):
    write = Reluctant(100, (error,))
    sink = LineSink(1, write)
    sink.write("lost\n")
    sink.write("written\n")
    assert write.written == b"written\n"


def test_a_full_device_raises_nothing():
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        LineSink(fd).write("lost")
        FramedSink(fd).write("lost")
    finally:
        os.close(fd)


def test_a_pipe_without_a_reader_raises_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        LineSink(writer).write("lost")
    finally:
        os.close(writer)


def test_a_descriptor_that_does_not_block_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = os.urandom(1 << 20)  # more than a pipe holds
    received = bytearray()

    def read() -> None:
        while piece := os.read(reader, 1 << 16):
            received.extend(piece)

    thread = threading.Thread(target=read)
    thread.start()
    write_all(writer, data)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert bytes(received) == data


def test_a_line_ends_in_one_newline():
    write = Reluctant(100)
    sink = LineSink(1, write)
    sink.write("one")
    sink.write("two\n")
    assert write.written == b"one\ntwo\n"
    assert write.calls == 2


def test_text_that_utf8_cannot_hold_is_escaped():
    write = Reluctant(100)
    LineSink(1, write).write("\ud800 🐍")
    assert write.written == "\\ud800 🐍\n".encode()


@pytest.mark.parametrize(
    ("level", "as_json", "expected"),
    [
        (0, True, 0xA55A0002),
        (10, True, 0xA55A000A),
        (20, True, 0xA55A000E),
        (30, True, 0xA55A0012),
        (40, True, 0xA55A0016),
        (50, True, 0xA55A001A),
        (0, False, 0xA55A0003),
        (10, False, 0xA55A000B),
        (20, False, 0xA55A000F),
        (30, False, 0xA55A0013),
        (40, False, 0xA55A0017),
        (50, False, 0xA55A001B),
        (25, False, 0xA55A000F),
        (5, False, 0xA55A0003),
        (-10, False, 0xA55A0003),
        (1000, True, 0xA55A001A),
    ],
)
def test_the_type_of_a_frame_tells_format_and_level(level, as_json, expected):
    assert frame_type(level, as_json=as_json) == expected


def test_a_frame_has_type_length_time_and_message():
    write = Reluctant(100)
    FramedSink(3, write).write("grün\nzwei", 40, as_json=True)
    message = "grün\nzwei".encode()
    assert write.written[:4] == (0xA55A0016).to_bytes(4, "big")
    assert write.written[4:8] == len(message).to_bytes(4, "big")
    assert int.from_bytes(write.written[8:16], "big") > 1_700_000_000_000_000  # microseconds
    assert write.written[16:] == message
    assert write.calls == 1


def test_the_platform_chooses_the_sink():
    assert isinstance(open_sink(None), LineSink)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        sink = open_sink(str(writer))
        assert isinstance(sink, FramedSink)
        assert not os.get_inheritable(writer)  # a child has no frames to write
        sink.write("x")
        assert os.read(reader, 100)[16:] == b"x"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("value", ["abc", "-1", "99999", str(2**70)])
def test_a_log_descriptor_that_is_none_stops_the_start(value):
    with pytest.raises(ConfigurationError, match=f"_LAMBDA_TELEMETRY_LOG_FD='{value}'"):
        open_sink(value)
