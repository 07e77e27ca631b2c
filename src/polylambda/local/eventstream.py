"""AWS's event stream encoding: the frames that `InvokeWithResponseStream` answers with.

Only encoding, and only the header type that Lambda uses (string). A frame is, big-endian: total length, length of the
headers, CRC32 of those eight bytes, headers, payload, CRC32 of everything before it.
See https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRING = 7
_OVERHEAD = 16  # the two lengths and the two checksums


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame with `headers`, in their order, around `payload`."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack("!II", _OVERHEAD + len(head) + len(payload), len(head))
    message = b"".join((lengths, struct.pack("!I", crc32(lengths)), head, payload))
    return message + struct.pack("!I", crc32(message))


def payload_chunk(data: bytes) -> bytes:
    """Return the frame that carries `data`, a piece of the function's response."""
    return frame(_event("PayloadChunk", "application/octet-stream"), data)


def invoke_complete(
    error_code: str | None = None, error_details: str | None = None, log_result: str | None = None
) -> bytes:
    """Return the frame that ends the stream.

    Args:
        error_code: AWS's or the function's name of what went wrong; None for a success.
        error_details: the error as the runtime told it, usually a JSON object as text.
        log_result: the end of the invocation's log, base64.
    """
    members = {"ErrorCode": error_code, "ErrorDetails": error_details, "LogResult": log_result}
    told = {name: value for name, value in members.items() if value is not None}
    return frame(_event("InvokeComplete", "application/json"), json.dumps(told, separators=(",", ":")).encode())


def _event(event_type: str, content_type: str) -> dict[str, str]:
    return {":message-type": "event", ":event-type": event_type, ":content-type": content_type}


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value
