from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polylambda.local import eventstream
from tests.unit.eventstream_decoder import decoded

# Bytes that AWS's own parser was seen to accept.
PAYLOAD_CHUNK_HI = bytes.fromhex(
    "0000006c0000005ab25efdcf0d3a6d6573736167652d747970650700056576656e740b3a6576656e742d7479706507000c"
    "5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d7374"
    "7265616d6869314138e4"
)
INVOKE_COMPLETE = bytes.fromhex(
    "00000066000000541f56c8690d3a6d6573736167652d747970650700056576656e740b3a6576656e742d7479706507000e"
    "496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b7d"
    "face259a"
)
EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")


def test_frames_are_those_of_aws():
    assert eventstream.payload_chunk(b"hi") == PAYLOAD_CHUNK_HI
    assert eventstream.invoke_complete() == INVOKE_COMPLETE
    assert eventstream.frame({}, b"") == EMPTY


def test_invoke_complete_tells_what_there_is_to_tell():
    data = eventstream.invoke_complete("Function.Bad", '{"errorMessage":"ä"}', "bG9n")
    ((_, payload),) = decoded(data)
    assert json.loads(payload) == {
        "ErrorCode": "Function.Bad",
        "ErrorDetails": '{"errorMessage":"ä"}',
        "LogResult": "bG9n",
    }


_names = st.text(min_size=1, max_size=60).filter(lambda name: len(name.encode()) <= 255)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.lists(
        st.tuples(st.dictionaries(_names, st.text(max_size=100), max_size=4), st.binary(max_size=300)), max_size=3
    )
)
def test_every_frame_can_be_read_back(frames: list[tuple[dict[str, str], bytes]]):
    data = b"".join(eventstream.frame(headers, payload) for headers, payload in frames)
    assert decoded(data) == frames
