from __future__ import annotations

import json

import pytest

from polylambda import PolylambdaError
from polylambda.rapi.headers import HTTP_INTEGRATION, JSON
from polylambda.testing import HandlerClient, Result
from polylambda.testing.result import split


def result_of(value: object) -> Result:
    return HandlerClient(lambda event, context: value).invoke()


# HTTP


def test_result_with_a_status_code():
    http = result_of(
        {
            "statusCode": 404,
            "headers": {"Content-Type": "text/plain", "X-Count": 3},
            "cookies": ["a=1; Path=/"],
            "body": "nothing here",
        }
    ).http
    assert http.status == 404
    assert http.headers == {"content-type": "text/plain", "x-count": "3"}
    assert http.cookies == ["a=1; Path=/"]
    assert http.text == "nothing here"


def test_base64_body_is_decoded():
    assert result_of({"statusCode": 200, "body": "AAE=", "isBase64Encoded": True}).http.body == b"\x00\x01"


def test_json_body():
    assert result_of({"statusCode": 200, "body": json.dumps({"id": 7})}).http.value == {"id": 7}


def test_other_json_is_the_body_with_status_200():
    http = result_of({"id": 7}).http
    assert http.status == 200
    assert http.headers == {"content-type": "application/json"}
    assert http.value == {"id": 7}


def test_several_values_of_a_header():
    http = result_of({"statusCode": 200, "multiValueHeaders": {"Vary": ["Accept", "Origin"]}}).http
    assert http.headers["vary"] == "Accept, Origin"


def test_no_body_where_http_has_none():
    assert result_of({"statusCode": 204, "body": "lost"}).http.body == b""


def test_what_is_no_http_response():
    with pytest.raises(PolylambdaError, match="statusCode is 99"):
        _ = result_of({"statusCode": 99}).http


def test_stream_without_a_head():
    def handler(event, context):
        yield "text"

    http = HandlerClient(handler).invoke().http
    assert http.status == 200
    assert http.headers == {"content-type": "application/octet-stream"}
    assert http.text == "text"


def test_stream_that_broke_off_after_its_head():
    def handler(event, response, context):
        response.start_http(200, {"content-type": "text/plain"})
        response.write("partly")
        raise ValueError("broke")

    result = HandlerClient(handler).invoke()
    assert result.http.status == 200
    assert result.http.text == "partly"
    with pytest.raises(ValueError, match="broke"):
        _ = result.value


def test_failure_before_there_is_anything_to_send():
    def handler(event, context):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        _ = HandlerClient(handler).invoke().http


def test_failure_without_an_exception_names_the_error():
    result = Result(error={"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"})
    with pytest.raises(PolylambdaError, match=r"Sandbox\.Timedout: Task timed out"):
        _ = result.value


# The head before a stream


WHOLE = b'{"statusCode": 202}' + b"\0" * 8 + b"one" + b"two"


@pytest.mark.parametrize("size", range(1, len(WHOLE) + 1))
def test_head_is_cut_off_wherever_the_pieces_end(size):
    prelude, chunks = split((WHOLE[at : at + size] for at in range(0, len(WHOLE), size)), HTTP_INTEGRATION)
    assert prelude == b'{"statusCode": 202}'
    assert b"".join(chunks) == b"onetwo"
    assert b"" not in chunks


@pytest.mark.parametrize(("sent", "prelude"), [(b"{}" + b"\0" * 8, b"{}"), (b'{"status', b'{"status'), (b"", b"")])
def test_head_without_a_body(sent, prelude):
    assert split([sent], HTTP_INTEGRATION) == (prelude, [])


def test_nul_bytes_of_another_stream_stay():
    sent = [b"a" + b"\0" * 8, b"b"]
    assert split(sent, "application/octet-stream") == (b"", sent)


def test_status_of_a_head():
    result = Result(prelude=b'{"statusCode": 202}', content_type=HTTP_INTEGRATION, streamed=True)
    assert result.http.status == 202


def test_text_and_value():
    result = Result(chunks=[b'{"name": ', '"Zoë"}'.encode()], content_type=JSON, answered=True)
    assert result.text == '{"name": "Zoë"}'
    assert result.value == {"name": "Zoë"}
