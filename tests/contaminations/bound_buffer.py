"""A buffer that is hidden in a partial."""

# mode: thread
# rule: RUN101
# event: {"name": "Ada"}
import struct
from functools import partial

_FORMAT = "64s"
_buffer = bytearray(64)
pack, unpack = partial(struct.pack_into, _FORMAT, _buffer, 0), partial(struct.unpack_from, _FORMAT, _buffer)


def handler(event, context):
    pack(event["name"].encode())
    (name,) = unpack()
    return {"name": name.rstrip(b"\0").decode()}
