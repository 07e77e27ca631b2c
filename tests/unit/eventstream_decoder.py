"""Reads AWS event stream frames back, for tests. botocore's reader is the oracle in the conformance tests."""

from __future__ import annotations

import struct
from zlib import crc32


def decoded(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Return headers and payload of each frame; asserts that lengths and checksums are right."""
    frames: list[tuple[dict[str, str], bytes]] = []
    while data:
        total, head_length, head_checksum = struct.unpack("!III", data[:12])
        frame, data = data[:total], data[total:]
        assert len(frame) == total
        assert head_checksum == crc32(frame[:8])
        assert struct.unpack("!I", frame[-4:])[0] == crc32(frame[:-4])
        frames.append((_headers(frame[12 : 12 + head_length]), frame[12 + head_length : -4]))
    return frames


def _headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    while data:
        end = 1 + data[0]
        kind, length = struct.unpack("!BH", data[end : end + 3])
        assert kind == 7
        headers[data[1:end].decode()] = data[end + 3 : end + 3 + length].decode()
        data = data[end + 3 + length :]
    return headers
