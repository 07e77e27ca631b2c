from __future__ import annotations

import pytest

from polylambda.asgi.head import Head


def head(*lines: tuple[bytes, bytes], status: object = 200, method: str = "GET") -> Head:
    return Head({"type": "http.response.start", "status": status, "headers": lines}, method)


def test_names_are_lower_case():
    assert head((b"X-One", b"Two")).lines == [(b"x-one", b"Two")]


def test_headers_may_be_missing():
    assert Head({"type": "http.response.start", "status": 200}, "GET").lines == []


def test_headers_may_be_lists_and_byte_arrays():
    message = {"status": 200, "headers": [[bytearray(b"x"), bytearray(b"y")]]}
    assert Head(message, "GET").lines == [(b"x", b"y")]


@pytest.mark.parametrize("name", [b"", b"a b", b"a:b", b"a\r\nb", b"caf\xe9", b"\x00"])
def test_names_that_http_cannot_carry(name: bytes):
    with pytest.raises(ValueError, match="cannot be the name"):
        head((name, b""))


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b=1", b"a\nb", b"\x00", b"\x7f", b"\x1b[0m"])
def test_values_that_http_cannot_carry(value: bytes):
    with pytest.raises(ValueError, match="x-one holds a control character"):
        head((b"x-one", value))


@pytest.mark.parametrize("value", [b"", b"a\tb", b"\xff\x80", "日本".encode()])
def test_values_that_http_can_carry(value: bytes):
    assert head((b"x-one", value)).lines == [(b"x-one", value)]


@pytest.mark.parametrize("status", [0, 101, 199, 600, "200", None])
def test_status(status: object):
    with pytest.raises(ValueError, match="status of a response"):
        head(status=status)


def test_what_ends_at_each_hop_is_left_out():
    lines = [
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"keep-alive, X-Secret"),
        (b"x-secret", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"content-length", b"5"),
    ]
    assert head(*lines).lines == [(b"content-length", b"5")]


@pytest.mark.parametrize(
    ("method", "status", "has_body"),
    [("GET", 200, True), ("HEAD", 200, False), ("GET", 204, False), ("GET", 304, False), ("POST", 500, True)],
)
def test_who_has_a_body(method: str, status: int, has_body: bool):
    assert head(status=status, method=method).has_body is has_body


LINES = (b"vary", b"a"), (b"set-cookie", b"a=1"), (b"vary", b"b"), (b"set-cookie", b"b=2"), (b"x-name", b"Zo\xeb")


def test_prelude_for_function_urls():
    assert head(*LINES, status=201).prelude(multi_value=False) == {
        "status": 201,
        "headers": {"vary": "a, b", "x-name": "Zo\u00eb"},
        "cookies": ["a=1", "b=2"],
    }


def test_prelude_for_rest_apis():
    assert head(*LINES, (b"vary", b"c")).prelude(multi_value=True) == {
        "status": 200,
        "headers": {"x-name": "Zo\u00eb"},
        "multi_value_headers": {"vary": ["a", "b", "c"], "set-cookie": ["a=1", "b=2"]},
    }
