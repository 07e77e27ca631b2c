"""A handler with a table of 60 MB, made at import: half of it in one piece, half in small objects."""

from __future__ import annotations

_MIB = 2**20
_OBJECT = 48 + 8  # bytes: a short `bytes` object and its place in the list

image = bytes(range(256)) * (30 * _MIB // 256)
rows = [b"%014d" % number for number in range(30 * _MIB // _OBJECT)]


def lookup(event, context):
    assert rows[event["count"]] == b"00000000000003"
    assert image[event["count"]] == 3
    return {"statusCode": 200}
