from __future__ import annotations

import base64
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polylambda.local import answers
from polylambda.local.answers import BadAnswer, Prelude


def result(**members: object) -> bytes:
    return json.dumps(members).encode()


class TestBuffered:
    @pytest.mark.parametrize("body", [b'"Hello, world!"', b'{"message": "hi"}', b"[1]", b"null", b"3"])
    def test_json_without_status_is_the_body(self, body: bytes):
        answer = answers.buffered(body)
        assert (answer.head.status, answer.body) == (200, body)
        assert answer.head.headers == ((b"content-type", b"application/json"),)

    def test_described_response(self):
        answer = answers.buffered(
            result(
                statusCode=201,
                headers={"X-Thing": "a", "Content-Type": "text/html"},
                body="<p>",
                cookies=["a=1", "b=2"],
            )
        )
        assert answer.head.status == 201
        assert answer.head.headers == (
            (b"x-thing", b"a"),
            (b"content-type", b"text/html"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
        )
        assert answer.body == b"<p>"

    def test_content_type_is_json_unless_told(self):
        assert (b"content-type", b"application/json") in answers.buffered(result(statusCode=200)).head.headers

    @pytest.mark.parametrize("status", [204, 205, 304])
    def test_no_content_type_where_there_is_no_body(self, status: int):
        answer = answers.buffered(result(statusCode=status))
        assert (answer.head.headers, answer.head.has_body) == ((), False)

    def test_base64_body(self):
        answer = answers.buffered(
            result(statusCode=200, body=base64.b64encode(b"\0\xff").decode(), isBase64Encoded=True)
        )
        assert answer.body == b"\0\xff"

    def test_cookie_header_and_cookies_are_both_sent(self):
        answer = answers.buffered(result(statusCode=200, headers={"Set-Cookie": "a=1"}, cookies=["b=2"]))
        assert [value for name, value in answer.head.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]

    def test_multi_value_headers_win(self):
        answer = answers.buffered(result(statusCode=200, headers={"x-a": "0"}, multiValueHeaders={"X-A": ["1", "2"]}))
        assert [value for name, value in answer.head.headers if name == b"x-a"] == [b"1", b"2"]

    def test_numbers_are_header_values_and_text_is_a_status(self):
        answer = answers.buffered(result(statusCode="418", headers={"x-n": 3, "x-b": True}))
        assert answer.head.status == 418
        assert answer.head.headers[1:] == ((b"x-n", b"3"), (b"x-b", b"true"))

    def test_framing_is_the_servers(self):
        framing = {"Content-Length": "999", "Transfer-Encoding": "chunked", "Connection": "close"}
        assert answers.buffered(result(statusCode=204, headers=framing)).head.headers == ()

    def test_header_beyond_latin_1_is_sent_as_utf_8(self):
        assert answers.buffered(result(statusCode=204, headers={"x-a": "é", "x-b": "✓"})).head.headers == (
            (b"x-a", "é".encode("latin-1")),
            (b"x-b", "✓".encode()),
        )

    @pytest.mark.parametrize(
        ("bad", "names"),
        [
            (b"not json", "not JSON"),
            (b"", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (result(statusCode="abc"), "statusCode"),
            (result(statusCode=None), "statusCode"),
            (result(statusCode=True), "statusCode"),
            (result(statusCode=99), "statusCode"),
            (result(statusCode=101), "statusCode"),
            (result(statusCode=600), "statusCode"),
            (result(statusCode=200, body={"a": 1}), "body"),
            (result(statusCode=200, body="%%", isBase64Encoded=True), "base64"),
            (result(statusCode=200, body="é", isBase64Encoded=True), "base64"),
            (result(statusCode=200, headers=["a"]), "headers"),
            (result(statusCode=200, headers={"a b": "c"}), "a b"),
            (result(statusCode=200, headers={"": "c"}), "name"),
            (result(statusCode=200, headers={"a": "x\r\nset-cookie: y=1"}), "control character"),
            (result(statusCode=200, headers={"a": {}}), "header 'a'"),
            (result(statusCode=200, multiValueHeaders={"a": "b"}), "multiValueHeaders"),
            (result(statusCode=200, cookies="a=1"), "cookies"),
            (result(statusCode=200, cookies=[1, {}]), "cookies"),
        ],
    )
    def test_what_is_no_response_is_refused_by_name(self, bad: bytes, names: str):
        with pytest.raises(BadAnswer, match=names):
            answers.buffered(bad)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.dictionaries(
            st.sampled_from(["statusCode", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=5,
            ),
        )
    )
    def test_no_result_raises_anything_else(self, members: dict[str, object]):
        try:
            answer = answers.buffered(json.dumps(members).encode())
        except BadAnswer:
            return
        assert all(b"\n" not in value and b"\r" not in value for _, value in answer.head.headers)


class TestPrelude:
    WHOLE = b'{"statusCode":418,"headers":{"content-type":"a/b"}}' + b"\0" * 8 + b"\0body"

    @given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
    def test_any_split_gives_the_same(self, cuts: list[int]):
        edges = [0, *sorted(cuts), len(self.WHOLE)]
        prelude = Prelude()
        found = None
        rest = b""
        for start, end in itertools.pairwise(edges):
            piece = self.WHOLE[start:end]
            if found is None:
                found = prelude.receive(piece)
            else:
                rest += piece
        assert found is not None
        head, first = found
        assert (head.status, head.headers) == (418, ((b"content-type", b"a/b"),))
        assert first + rest == b"\0body"

    def test_everything_is_optional(self):
        found = Prelude().receive(b"{}" + b"\0" * 8)
        assert found is not None
        assert (found[0].status, found[0].headers, found[1]) == (
            200,
            ((b"content-type", b"application/octet-stream"),),
            b"",
        )

    def test_ends_inside(self):
        prelude = Prelude()
        assert prelude.receive(b'{"statusCode":200}' + b"\0" * 7) is None
        assert "25 bytes" in str(prelude.end())

    @pytest.mark.parametrize("text", [b"nope", b"[]", b'{"statusCode":1}', b""])
    def test_nonsense(self, text: bytes):
        with pytest.raises(BadAnswer):
            Prelude().receive(text + b"\0" * 8)

    def test_never_ends(self):
        prelude = Prelude()
        assert prelude.receive(b"x" * 16384) is None
        with pytest.raises(BadAnswer, match="16384"):
            prelude.receive(b"x")


def test_stream_without_prelude():
    assert answers.plain_head("text/event-stream").headers == ((b"content-type", b"text/event-stream"),)
    assert answers.plain_head("").headers == ((b"content-type", b"application/octet-stream"),)
