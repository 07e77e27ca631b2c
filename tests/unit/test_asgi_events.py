from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.asgi.events import TEXT_TYPES, Events, Request
from polylambda.asgi.head import Head
from polylambda.errors import UnmarshalError
from tests import asgi_events as sources
from tests.asgi_events import SOURCES, body_of, headers_of

CONTEXT = object()


def request(event: Any, root_path: str = "") -> Request:
    return Events(root_path=root_path, text_types=TEXT_TYPES).request(event, CONTEXT)


def header(scope: Any, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def head(*lines: tuple[bytes, bytes], status: int = 200, method: str = "GET") -> Head:
    return Head({"type": "http.response.start", "status": status, "headers": lines}, method)


every_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@every_source
def test_scope(source: Any):
    event = source(
        "/a/b", "POST", query="x=1&y=2", headers=[("content-type", "text/plain"), ("x-one", "1")], body=b"hi"
    )
    found = request(event)
    scope = found.scope
    assert scope["type"] == "http"
    assert scope["method"] == "POST"
    assert scope["path"] == "/a/b"
    assert scope["raw_path"] == b"/a/b"
    assert scope["root_path"] == ""
    assert scope["query_string"] == b"x=1&y=2"
    assert scope["http_version"] == "1.1"
    assert scope["scheme"] in ("https", "http")
    assert scope["client"] == ("192.0.2.1", 0)
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert scope["aws.event"] is event
    assert scope["aws.context"] is CONTEXT
    assert header(scope, b"x-one") == [b"1"]
    assert all(type(line) is tuple for line in scope["headers"])
    assert len(header(scope, b"host")) == 1
    assert found.body == b"hi"


@every_source
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method(source: Any, method: str):
    assert request(source("/", method)).scope["method"] == method


@every_source
@pytest.mark.parametrize(
    ("target", "path", "raw"),
    [
        ("/caf%C3%A9", "/café", b"/caf%C3%A9"),
        ("/a%20b", "/a b", b"/a%20b"),
        ("/a%2Fb", "/a/b", b"/a%2Fb"),
        ("/100%", "/100%", b"/100%"),
        ("/caf\u00e9", "/café", b"/caf%C3%A9"),  # decoded by the gateway
        ("/a b", "/a b", b"/a%20b"),
        ("/~user/x;v=1", "/~user/x;v=1", b"/~user/x;v=1"),
    ],
)
def test_path(source: Any, target: str, path: str, raw: bytes):
    scope = request(source(target)).scope
    assert scope["path"] == path
    assert scope["raw_path"] == raw


@every_source
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/prod/users", "/prod/users"),  # the gateway leaves it there
        ("/users", "/prod/users"),  # it takes it away
        ("/prod", "/prod"),
        ("/production", "/prod/production"),
        ("/", "/prod/"),
    ],
)
def test_root_path_is_part_of_path(source: Any, target: str, path: str):
    scope = request(source(target), "/prod").scope
    assert scope["root_path"] == "/prod"
    assert scope["path"] == path
    assert scope["raw_path"] == path.encode()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("url", b"a=1&a=2&b=%20x&c&d=%26"),
        ("http_api", b"a=1&a=2&b=%20x&c&d=%26"),
        ("rest_api", b"a=1&a=2&b=+x&c=&d=%26"),
        ("http_api_1", b"a=1&a=2&b=+x&c=&d=%26"),
        ("alb", b"a=2&b=+x&c=&d=%26"),  # which tells one value of each
        ("alb_multi", b"a=1&a=2&b=+x&c=&d=%26"),
    ],
)
def test_query(name: str, query: bytes):
    assert request(SOURCES[name](query="a=1&a=2&b=%20x&c&d=%26")).scope["query_string"] == query


@every_source
def test_cookies_are_one_line(source: Any):
    event = source(headers=[("Cookie", "a=1; b=2")])
    assert header(request(event).scope, b"cookie") == [b"a=1; b=2"]


@pytest.mark.parametrize("name", ["rest_api", "http_api_1", "alb_multi"])
def test_cookies_in_several_lines_become_one(name: str):
    event = SOURCES[name](headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    assert header(request(event).scope, b"cookie") == [b"a=1; b=2"]


def test_cookies_of_a_function_url():
    event = sources.url()
    event["cookies"] = ["a=1", "b=2"]
    assert header(request(event).scope, b"cookie") == [b"a=1; b=2"]


@pytest.mark.parametrize("name", ["rest_api", "http_api_1", "alb_multi"])
def test_repeated_headers_are_lines_of_their_own(name: str):
    event = SOURCES[name](headers=[("X-Many", "1, 2"), ("X-One", "1, 2"), ("X-Many", "Zo\u00eb")])
    scope = request(event).scope
    assert header(scope, b"x-many") == [b"1, 2", b"Zo\xeb"]
    assert header(scope, b"x-one") == [b"1, 2"]


@pytest.mark.parametrize("name", ["rest_api", "http_api_1", "alb_multi"])
def test_names_that_differ_in_case_are_one(name: str):
    event = SOURCES[name]()
    event["multiValueHeaders"] |= {"X-Many": ["1"], "x-many": ["2"], "Cookie": ["a=1"], "cookie": ["b=2"]}
    scope = request(event).scope
    assert header(scope, b"x-many") == [b"1", b"2"]
    assert header(scope, b"cookie") == [b"a=1; b=2"]


def test_repeated_headers_that_end_at_each_hop():
    event = sources.rest_api(
        headers=[("Connection", "x-a"), ("Connection", "x-b"), ("X-A", "1"), ("X-A", "2"), ("X-B", "")]
    )
    names = {name for name, _ in request(event).scope["headers"]}
    assert not names & {b"connection", b"x-a", b"x-b"}


def test_repeated_headers_of_an_event_that_lacks_something():
    event = {"resource": "/", "requestContext": {}, "multiValueHeaders": {"X-Many": ["1", None, 2]}}
    assert header(request(event).scope, b"x-many") == [b"1", b"2"]


@every_source
def test_what_ends_at_each_hop_is_left_out(source: Any):
    event = source(
        headers=[("Expect", "100-continue"), ("Connection", "x-drop, close"), ("X-Drop", "1"), ("TE", "gzip")]
    )
    names = {name for name, _ in request(event).scope["headers"]}
    assert not names & {b"expect", b"connection", b"x-drop", b"te"}


@every_source
@pytest.mark.parametrize(
    ("text", "value"), [("Zo\u00eb", b"Zo\xeb"), ("\u65e5\u672c", "\u65e5\u672c".encode()), ("\xff\x80", b"\xff\x80")]
)
def test_headers_beyond_ascii(source: Any, text: str, value: bytes):
    assert header(request(source(headers=[("x-name", text)])).scope, b"x-name") == [value]


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("example.org", ("example.org", 80)),
        ("example.org:8080", ("example.org", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::1]", ("::1", 80)),
        ("a:b:c", None),
        ("[::1", None),
        ("example.org:http", None),
        ("", ("", 80)),
    ],
)
def test_host(host: str, server: object):
    event = sources.url(host=host)
    event["headers"]["host"] = host
    del event["headers"]["x-forwarded-port"]
    scope = request(event).scope
    assert scope["server"] == server
    assert header(scope, b"host") == [host.encode()]


def test_no_host():
    event = sources.url()
    del event["headers"]["host"]
    assert request(event).scope["server"] is None


@every_source
def test_text_body(source: Any):
    event = source("/", "POST")
    event |= {"body": "gr\u00fcn", "isBase64Encoded": False}
    assert request(event).body == "gr\u00fcn".encode()


@every_source
def test_no_body(source: Any):
    event = source()
    event.pop("body", None)
    event.pop("isBase64Encoded", None)
    assert request(event).body == b""


SPARSE: list[dict[str, Any]] = [
    {"version": "2.0", "requestContext": {"http": None}},
    {"version": "2.0", "requestContext": {"http": {}}, "headers": None, "cookies": None, "rawQueryString": None},
    {"version": "1.0", "requestContext": {"identity": None}, "headers": None, "multiValueHeaders": None},
    {"resource": "/", "requestContext": {}, "path": None, "queryStringParameters": None},
    {"resource": "/", "requestContext": {}, "multiValueHeaders": {"Accept": None, "X": []}},
    {"requestContext": {"elb": {}}},
    {"requestContext": {"elb": {}}, "headers": None, "queryStringParameters": None},
    {"requestContext": {"elb": {}}, "multiValueHeaders": None, "path": "", "body": None},
]


@pytest.mark.parametrize("event", SPARSE, ids=str)
def test_events_that_lack_nearly_everything(event: dict[str, Any]):
    scope = request(event).scope
    assert (scope["method"], scope["path"], scope["raw_path"], scope["query_string"]) == ("GET", "/", b"/", b"")
    assert scope["client"] is None
    assert scope["server"] is None
    assert scope["headers"] == []
    assert scope["aws.event"] is event


LATTICE = {
    "version": "2.0",
    "path": "/a",
    "method": "POST",
    "headers": {"host": ["example.org"]},
    "requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice:eu-west-1:123:servicenetwork/sn-1"},
    "body": "",
}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "its keys are none"),
        ({"Records": [], "detail": 1}, "its keys are Records, detail"),
        ([1], "it is list"),
        (None, "it is NoneType"),
        (b"bytes", "it is bytes"),
        (LATTICE, "its keys are body, headers, method"),
        ({"version": "2.0", "requestContext": None}, "its keys are requestContext, version"),
        (
            {"version": "2.0", "requestContext": {"http": {}}, "body": "a", "isBase64Encoded": True},
            "the body of the event is no base64",
        ),
        ({"version": "2.0", "requestContext": {"http": {}}, "body": {}, "isBase64Encoded": True}, ""),
        ({"version": "2.0", "requestContext": {"http": {}}, "body": {"a": 1}}, "no complete HTTP request"),
        ({"version": "2.0", "requestContext": {"http": {}}, "body": "\ud800"}, "no complete HTTP request"),
    ],
)
def test_what_is_no_request(event: Any, told: str):
    if not told:  # an empty body, in whatever form
        assert request(event).body == b""
        return
    with pytest.raises(UnmarshalError, match=told):
        request(event)


@every_source
@pytest.mark.parametrize("body", ["a", "aGk", "aGk=aGk=", "aG k=", "aGk=\n", "a-_=", "gr\u00fcn", "hello, world"])
def test_a_body_that_is_no_base64(source: Any, body: str):
    event = source("/", "POST")
    event |= {"body": body, "isBase64Encoded": True}
    with pytest.raises(UnmarshalError, match=r"the body of the event is no base64, as isBase64Encoded says: .*: '"):
        request(event)


@pytest.mark.parametrize(
    "event",
    [
        {**sources.rest_api(), "type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:123:abc/prod/GET/"},
        {**sources.http_api_1(), "type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:123:abc/prod/GET/"},
        {**sources.http_api(), "type": "REQUEST", "routeArn": "arn:aws:execute-api:eu-west-1:123:abc/prod/GET/"},
    ],
    ids=["rest_api", "http_api_1", "http_api"],
)
def test_what_authorisers_are_asked(event: dict[str, Any]):
    with pytest.raises(
        UnmarshalError, match=r"asks an authoriser for a decision .*: give the authoriser a handler of its own"
    ):
        request(event)


@pytest.mark.parametrize(
    ("event", "can_stream"),
    [
        (sources.url(), True),
        (sources.url(host="127.0.0.1:7000"), True),  # polylambda dev
        (sources.http_api(), False),
        (sources.url(host="abc.execute-api.eu-west-1.amazonaws.com"), False),
        (sources.http_api_1(), False),
        (sources.rest_api(), True),
        (sources.alb(), False),
        (sources.alb_multi(), False),
    ],
)
def test_who_can_take_a_stream(event: Any, can_stream: bool):
    assert request(event).can_stream is can_stream


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of a tree, as what it is in and its key."""
    found: list[tuple[Any, Any]] = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += [(value, key), *places(inner)]
    return found


JUNK = st.sampled_from(
    [None, 0, -1.5, True, "", "x", "\ud800", "%", "a:b", [], [None], [1], {}, {"x": None}, {"x": [1]}]
)


@given(st.data())
def test_whatever_comes_is_a_request_or_refused(data: st.DataObject):
    source = data.draw(st.sampled_from(list(SOURCES.values())))
    event = source("/a", "POST", query="x=1", headers=[("Cookie", "a=1"), ("Cookie", "b=2")], body=b"hi")
    for _ in range(data.draw(st.integers(1, 4))):
        where, key = data.draw(st.sampled_from(places(event)))
        if isinstance(where, dict) and data.draw(st.booleans()):
            where.pop(key)
        else:
            where[key] = copy.deepcopy(data.draw(JUNK))
        if not event:
            return
    try:
        found = request(event, data.draw(st.sampled_from(["", "/prod"])))
    except UnmarshalError:
        return
    assert isinstance(found.can_stream, bool)
    assert isinstance(found.scope["path"], str)
    assert isinstance(found.body, bytes)
    assert all(type(name) is type(value) is bytes for name, value in found.scope["headers"])


# Answers


@every_source
def test_answer(source: Any):
    answer = request(source()).answer(head((b"content-type", b"text/plain"), (b"x-one", b"1")), b"hello")
    assert answer["statusCode"] == 200
    assert (body_of(answer), answer["isBase64Encoded"]) == (b"hello", False)
    assert headers_of(answer) == [("content-type", "text/plain"), ("x-one", "1")]


@every_source
def test_binary_answer(source: Any):
    answer = request(source()).answer(head((b"content-type", b"image/png")), b"\x89PNG\xff")
    assert (body_of(answer), answer["isBase64Encoded"]) == (b"\x89PNG\xff", True)


@every_source
@pytest.mark.parametrize("kind", [b"text/html; charset=latin-1", b"application/json"])
def test_text_that_is_no_utf8_goes_as_it_is(source: Any, kind: bytes):
    answer = request(source()).answer(head((b"content-type", kind)), b"caf\xe9")
    assert (body_of(answer), answer["isBase64Encoded"]) == (b"caf\xe9", True)


@pytest.mark.parametrize("kind", [b"application/problem+json", b"image/svg+xml", b"application/xml; charset=utf-8"])
def test_more_kinds_of_text(kind: bytes):
    assert not request(sources.rest_api()).answer(head((b"content-type", kind)), b"{}")["isBase64Encoded"]


@every_source
def test_cookies(source: Any):
    lines = [(b"set-cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2, c"), (b"content-type", b"text/plain")]
    answer = request(source()).answer(head(*lines), b"")
    assert headers_of(answer) == [
        ("content-type", "text/plain"),
        ("set-cookie", "a=1; Path=/"),
        ("set-cookie", "b=2, c"),
    ]


@every_source
def test_answer_with_headers_beyond_ascii(source: Any):
    answer = request(source()).answer(head((b"content-type", b"text/plain"), (b"x-name", b"Zo\xeb\xff")), b"")
    assert ("x-name", "Zo\u00eb\u00ff") in headers_of(answer)


@every_source
@pytest.mark.parametrize("status", [204, 205, 304])
def test_no_content_has_no_type(source: Any, status: int):
    answer = request(source()).answer(head((b"etag", b"x"), status=status), b"")
    assert headers_of(answer) == [("etag", "x")]
    assert body_of(answer) == b""


def test_the_type_of_no_content_stays_when_the_application_gives_it():
    answer = request(sources.url()).answer(head((b"content-type", b"text/css"), status=304), b"")
    assert headers_of(answer) == [("content-type", "text/css")]
