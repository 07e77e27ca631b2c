from __future__ import annotations

import sys
from typing import Any

import pytest

from polylambda import ConfigurationError, asgi, safety
from polylambda.handlers import compile_handler
from polylambda.testing import HandlerClient
from tests import asgi_events as sources


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["root_path"].encode() + b" " + scope["path"].encode()})


def test_it_is_a_handler_that_may_be_shared():
    handler = asgi.handler(app)
    assert compile_handler(handler).is_async
    assert safety.is_declared_safe(handler)
    safety.refuse_shared_state(handler)


def test_the_application_itself_is_no_handler():
    with pytest.raises(ConfigurationError, match=r"app is an ASGI application: polylambda.asgi.handler\(...\)"):
        compile_handler(app)


@pytest.mark.parametrize(
    ("root_path", "seen"), [("", " /a"), ("/", " /a"), ("prod", "/prod /prod/a"), ("/p/q/", "/p/q /p/q/a")]
)
def test_root_path(root_path: str, seen: str):
    with HandlerClient(asgi.handler(app, lifespan="off", root_path=root_path)) as client:
        assert client.invoke(sources.rest_api("/a")).http.text == seen


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"app": "app:app"}, "callable, which str is not"),
        ({"app": app, "lifespan": "always"}, "lifespan is 'always'"),
    ],
)
def test_arguments_that_are_wrong(arguments: Any, told: str):
    with pytest.raises(ConfigurationError, match=told):
        asgi.handler(**arguments)


@pytest.mark.parametrize(
    ("variable", "argument", "streamed"),
    [
        (None, None, False),
        ("buffered", None, False),
        ("RESPONSE_STREAM", None, True),
        ("response_stream", False, False),
        ("buffered", True, True),
    ],
)
def test_streaming(monkeypatch: pytest.MonkeyPatch, variable: str | None, argument: bool | None, streamed: bool):
    monkeypatch.delenv("POLYLAMBDA_INVOKE_MODE", raising=False)
    if variable is not None:
        monkeypatch.setenv("POLYLAMBDA_INVOKE_MODE", variable)
    with HandlerClient(asgi.handler(app, lifespan="off", streaming=argument)) as client:
        assert client.invoke(sources.url()).streamed is streamed


def test_an_invoke_mode_that_does_not_exist(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POLYLAMBDA_INVOKE_MODE", "stream")
    with pytest.raises(
        ConfigurationError, match="POLYLAMBDA_INVOKE_MODE is 'stream': it must be buffered or response_stream"
    ):
        asgi.handler(app)


def test_more_types_of_text():
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/toml")]})
        await send({"type": "http.response.body", "body": b"a = 1"})

    for text_types, encoded in [((), True), (("application/toml",), False)]:
        with HandlerClient(asgi.handler(answering, lifespan="off", text_types=text_types)) as client:
            result = client.invoke(sources.url())
            assert result.value["isBase64Encoded"] is encoded
            assert result.http.text == "a = 1"


def test_an_event_that_is_no_request():
    with HandlerClient(asgi.handler(app, lifespan="off")) as client:
        result = client.invoke({"Records": []})
    assert result.error is not None
    assert result.error["errorType"] == "Runtime.UnmarshalError"


def test_without_mangum(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "polylambda.asgi.events", raising=False)
    monkeypatch.delitem(sys.modules, "mangum.handlers", raising=False)
    monkeypatch.setitem(sys.modules, "mangum", None)
    with pytest.raises(ConfigurationError, match=r"needs mangum: pip install 'polylambda\[asgi\]'"):
        asgi.handler(app)
