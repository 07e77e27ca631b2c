"""Memory of a C library."""

# mode: thread
# rule: RUN101
# event: {"text": "some text"}
import ctypes

scratch = ctypes.create_string_buffer(256)


def handler(event, context):
    data = event["text"].encode()
    ctypes.memmove(scratch, data + b"\0", len(data) + 1)
    return {"echo": ctypes.string_at(scratch).decode()}
