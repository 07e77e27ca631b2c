"""The Runtime API client, whatever carries it: what goes over the wire, and what becomes of every way it can go wrong."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from polylambda.errors import ConnectionLost, ProtocolError, Refused
from polylambda.rapi import policy
from polylambda.report import ErrorReport, report
from tests import scripted
from tests.integration.slots import DRIVERS, Early, Held, Slot, Stream, serve
from tests.scripted import Peer, Request, ScriptedServer

MEBIBYTE = 1024 * 1024


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again without waiting; how long it waits is shown in the policy's own tests."""
    monkeypatch.setattr(policy, "_DELAYS", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What goes to the log, as `LEVEL message`."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname} {record.getMessage()}")

    logger = logging.getLogger("polylambda")
    handler, level = Handler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def an_error(message: str = "no") -> ErrorReport:
    return report(ValueError(message), "id")


def finish(server: ScriptedServer, peer: Peer | None = None) -> None:
    """Take the poll that follows, on the connection that there is or on a new one, and stop the client."""
    peer = peer or server.accept()
    peer.poll()
    server.stop_client()
    assert peer.rest() == b""


def one_answer(
    driver: str, answer: bytes | ErrorReport | Stream | Early, headers: dict[str, str] | None = None
) -> Request:
    """The request that answers an invocation."""
    requests: list[Request] = []

    def script(server: ScriptedServer) -> None:
        peer = server.accept()
        peer.poll()
        peer.send_event("id-1", b"{}", headers)
        requests.append(peer.request())
        peer.reply(202)
        finish(server, server.accept() if isinstance(answer, Stream) else peer)

    serve(driver, script, lambda invocation: answer)
    return requests[0]


class TestRequests:
    def test_a_poll(self, driver: str):
        polls: list[Request] = []

        def script(server: ScriptedServer) -> None:
            polls.append(server.accept().poll())
            server.stop_client()

        serve(driver, script)
        assert polls[0].body == b""
        assert polls[0].headers.keys() == {"host", "user-agent"}
        assert polls[0].headers["host"].startswith("127.0.0.1:")
        assert polls[0].headers["user-agent"].startswith("polylambda-python/3.")

    def test_a_buffered_answer(self, driver: str):
        request = one_answer(driver, b'{"a":1}')
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/invocation/id-1/response")
        assert request.body == b'{"a":1}'
        assert request.headers["content-length"] == "7"
        assert request.headers["content-type"] == "application/json"
        assert "lambda-runtime-function-response-mode" not in request.headers
        assert "transfer-encoding" not in request.headers

    def test_an_empty_answer(self, driver: str):
        request = one_answer(driver, b"")
        assert (request.body, request.headers["content-length"]) == (b"", "0")

    def test_an_early_answer(self, driver: str):
        assert one_answer(driver, Early(b"early")).body == b"early"

    def test_an_error(self, driver: str):
        request = one_answer(driver, an_error('two\nlines, "quoted", \N{PILE OF POO}'))
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/invocation/id-1/error")
        assert json.loads(request.body)["errorMessage"] == 'two\nlines, "quoted", \N{PILE OF POO}'
        assert json.loads(request.body)["errorType"] == "ValueError"
        assert request.headers["lambda-runtime-function-error-type"] == "Function.ValueError"
        assert json.loads(request.headers["lambda-runtime-function-xray-error-cause"])["exceptions"]
        assert request.headers["content-type"] == "application/json"

    def test_a_stream(self, driver: str):
        request = one_answer(driver, Stream([b"one", b"", b"two"]))
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/invocation/id-1/response")
        assert request.headers["lambda-runtime-function-response-mode"] == "streaming"
        assert request.headers["content-type"] == "text/plain"
        assert "content-length" not in request.headers
        announced = {name.strip().lower() for name in request.headers["trailer"].split(",")}
        assert announced == {"lambda-runtime-function-error-type", "lambda-runtime-function-error-body"}
        assert (request.body, request.trailers) == (b"onetwo", {})

    def test_a_stream_that_an_error_cuts_short(self, driver: str):
        request = one_answer(driver, Stream([b"one"], an_error("midway")))
        assert request.body == b"one"
        assert request.trailers["lambda-runtime-function-error-type"] == "Function.ValueError"
        error = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"], validate=True))
        assert error["errorMessage"] == "midway"

    @pytest.mark.parametrize("answer", [b"x", an_error(), Stream([b"x"])], ids=["buffered", "error", "stream"])
    def test_the_attempt_is_named_when_the_platform_named_it(self, driver: str, answer: bytes | ErrorReport | Stream):
        request = one_answer(driver, answer, {"Lambda-Runtime-Invocation-Id": "attempt-7"})
        assert request.headers["lambda-runtime-invocation-id"] == "attempt-7"
        assert "lambda-runtime-invocation-id" not in one_answer(driver, answer).headers
        empty = one_answer(driver, answer, {"Lambda-Runtime-Invocation-Id": ""})
        assert "lambda-runtime-invocation-id" not in empty.headers

    def test_a_content_type_cannot_smuggle_a_header_in(self, driver: str):
        request = one_answer(driver, Stream([b"x"], content_type="text/plain\r\nX-Smuggled: yes"))
        assert request.headers["content-type"] == "application/octet-stream"
        assert "x-smuggled" not in request.headers


class TestInvocations:
    def served(self, driver: str, *messages: bytes, pieces: int | None = None) -> Slot:
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            for message in messages:
                peer.poll()
                peer.send(message, pieces=pieces)
                assert peer.request().body == b"answer"
                peer.reply(202, pieces=pieces)
            finish(server, peer)

        return serve(driver, script)

    def test_metadata(self, driver: str):
        headers = {
            "Content-Type": "text/plain",
            "LAMBDA-RUNTIME-INVOCATION-ID": "attempt",
            "lambda-runtime-aws-tenant-id": "blue",
            "Lambda-Runtime-Client-Context": '{"custom":{"name":"é"}}',
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        }
        (invocation,) = self.served(driver, scripted.event("id-1", b"payload", headers)).invocations
        assert (invocation.request_id, invocation.payload) == ("id-1", b"payload")
        assert invocation.content_type == "text/plain"
        assert invocation.invocation_id == "attempt"
        assert invocation.tenant_id == "blue"
        assert invocation.client_context == '{"custom":{"name":"é"}}'
        assert invocation.trace_id == "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"
        assert invocation.deadline_ms == "4102444800000"
        assert invocation.function_arn.startswith("arn:aws:lambda:")

    def test_empty_headers_are_absent_ones(self, driver: str):
        (invocation,) = self.served(driver, scripted.event("id-1")).invocations
        assert invocation.trace_id == invocation.client_context == invocation.cognito_identity == ""
        assert invocation.tenant_id == invocation.invocation_id == ""

    @pytest.mark.parametrize("size", [0, 1, 65536, 6 * MEBIBYTE])
    def test_payloads_of_any_size(self, driver: str, size: int):
        payload = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        (invocation,) = self.served(driver, scripted.event("id-1", payload)).invocations
        assert invocation.payload == payload

    def test_tiny_pieces(self, driver: str):
        messages = [scripted.event(f"id-{number}", b"x" * number) for number in range(4)]
        assert self.served(driver, *messages, pieces=1).ids == ["id-0", "id-1", "id-2", "id-3"]

    @pytest.mark.parametrize("pieces", [None, 1, 7])
    def test_a_chunked_event(self, driver: str, pieces: int | None):
        body = b"3;ext=1\r\nabc\r\n0004\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n"
        message = scripted.event("id-1", body, {"Transfer-Encoding": "chunked"})
        slot = self.served(driver, message, scripted.event("id-2"), pieces=pieces)
        assert [invocation.payload for invocation in slot.invocations] == [b"abcdefg", b"{}"]

    def test_an_event_that_ends_with_its_connection(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send(scripted.head("200 OK", {"Lambda-Runtime-Aws-Request-Id": "id-1"}) + b"payload")
            peer.close()
            peer = server.accept()
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)
            server.stop_client()

        (invocation,) = serve(driver, script).invocations
        assert invocation.payload == b"payload"

    def test_continue_comes_before_anything(self, driver: str):
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send(go_on + go_on)
            peer.send_event("id-1")
            peer.head()
            peer.send(go_on)
            assert peer.take(8 * MEBIBYTE) == b"x" * 8 * MEBIBYTE
            peer.poll()
            peer.send(go_on + scripted.reply(202))
            server.stop_client()

        assert serve(driver, script, lambda invocation: b"x" * 8 * MEBIBYTE).ids == ["id-1"]

    def test_an_event_without_an_id_is_nobodys(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("")
            finish(server)

        assert serve(driver, script).ids == []


class TestPipelining:
    def test_a_thousand_invocations_on_one_connection(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            for number in range(1000):
                peer.send_event(f"id-{number}", b"%d" % number)
                assert peer.answer(f"id-{number}").body == b"%d" % number
                peer.poll()  # before the reply
                peer.reply(202)
            server.stop_client()

        assert len(serve(driver, script, lambda invocation: invocation.payload).ids) == 1000

    def test_behind_an_error(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1", "error")
            peer.poll()
            peer.reply(202)
            server.stop_client()

        serve(driver, script, lambda invocation: an_error())

    def test_reply_and_event_in_one_piece(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-0")
            for number in range(10):
                peer.answer(f"id-{number}")
                peer.poll()
                peer.send(scripted.reply(202) + scripted.event(f"id-{number + 1}"))
            peer.answer("id-10")
            peer.poll()
            peer.reply(202)
            server.stop_client()

        assert serve(driver, script).ids == [f"id-{number}" for number in range(11)]

    def test_off_it_sends_nothing_before_the_reply(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.end_sending()
            assert peer.rest() == b""  # all that the client ever sent
            peer = server.accept()
            peer.answer("id-1")
            peer.reply(202)
            peer.poll()
            server.stop_client()

        serve(driver, script, pipelining=False)

    def test_off_it_works_all_the_same(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            for number in range(10):
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.answer(f"id-{number}")
                peer.reply(202)
            finish(server, peer)

        assert len(serve(driver, script, pipelining=False).ids) == 10

    def test_a_refused_answer_and_the_poll_behind_it_counts(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.reply(400, "InvalidRequestID")
            peer.send_event("id-2")
            peer.answer("id-2")
            peer.poll()
            peer.reply(202)
            server.stop_client()

        assert serve(driver, script).ids == ["id-1", "id-2"]
        assert log == ["ERROR the answer to id-1 was refused: 400 InvalidRequestID: because"]

    @pytest.mark.parametrize("status", [202, 413])
    def test_a_poll_that_is_lost_with_its_connection_is_sent_again(self, driver: str, status: int):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            for number in range(10):
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.answer(f"id-{number}")
                peer.poll()
                peer.reply(status, close=True)
                peer.close()
                peer = server.accept()
            finish(server, peer)

        assert len(serve(driver, script).ids) == 10


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "error_type"),
        [
            (400, "InvalidRequestID"),
            (400, "InvalidInvocationId"),
            (400, "InvalidFunctionResponseMode"),
            (400, "TruncatedHTTPRequest"),
            (403, "Forbidden"),
            (404, "NotFound"),
            (410, "InvokeTimeout"),
            (413, "RequestEntityTooLarge"),
            (500, "InternalServerError"),
            (503, "ServiceUnavailable"),
        ],
    )
    @pytest.mark.parametrize("answer", [b"x", an_error(), Early(b"x")], ids=["buffered", "error", "early"])
    @pytest.mark.parametrize("pipelining", [True, False])
    def test_an_answer_is_refused_and_the_next_event_comes(
        self, driver: str, status: int, error_type: str, answer: bytes, pipelining: bool, log: list[str]
    ):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            for number in range(3):
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.request()
                peer.reply(status, error_type)
            finish(server, peer)

        slot = serve(driver, script, lambda invocation: answer, pipelining=pipelining)
        assert slot.ids == ["id-0", "id-1", "id-2"]
        level = "DEBUG" if status == 410 else "ERROR"
        assert log == [f"{level} the answer to {id_} was refused: {status} {error_type}: because" for id_ in slot.ids]

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"errorType":1}', b"\xff", b"[" * 100_000])
    def test_a_refusal_in_other_words(self, driver: str, body: bytes, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.send(scripted.head("403 No", {"Content-Length": str(len(body))}) + body)
            finish(server, peer)

        serve(driver, script)
        assert len(log) == 1
        assert log[0].startswith("ERROR the answer to id-1 was refused: 403 error: ")

    @pytest.mark.parametrize("status", [400, 403, 410, 413, 500])
    def test_a_stream_is_refused_at_its_end(self, driver: str, status: int):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.reply(status, "Because")
            finish(server)

        slot = serve(driver, script, lambda invocation: Stream([b"x"]))
        (refusal,) = slot.failures
        assert isinstance(refusal, Refused)
        assert (refusal.status, refusal.error_type, refusal.message) == (status, "Because", "because")

    @pytest.mark.parametrize("status", [400, 403, 500, 503])
    def test_a_refused_poll_is_sent_again(self, driver: str, status: int):
        def script(server: ScriptedServer) -> None:
            for number in range(3):  # each is a new count: an event came in between
                for _ in range(4):
                    peer = server.accept()
                    peer.poll()
                    peer.reply(status, "Not now")
                    assert peer.rest() == b""
                peer = server.accept()
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.answer(f"id-{number}")
                peer.poll()
                peer.reply(202, close=True)
                peer.close()
            finish(server)

        assert serve(driver, script).ids == ["id-0", "id-1", "id-2"]

    def test_a_poll_that_keeps_being_refused(self, driver: str):
        polls: list[Request] = []

        def script(server: ScriptedServer) -> None:
            for _ in range(5):
                peer = server.accept()
                polls.append(peer.poll())
                peer.reply(500, "InternalServerError")

        with pytest.raises(Refused) as caught:
            serve(driver, script)
        assert len(polls) == 5
        assert (caught.value.status, caught.value.error_type) == (500, "InternalServerError")
        assert "AWS_LAMBDA_RUNTIME_API" in str(caught.value)
        assert "127.0.0.1" in str(caught.value)


class TestEarlyRejection:
    """A reply while the request is still being sent."""

    @pytest.mark.parametrize("size", [5 * MEBIBYTE, 7 * MEBIBYTE, 64 * MEBIBYTE])
    @pytest.mark.parametrize("then", ["closes", "ends", "stays", "reads"])
    @pytest.mark.parametrize("pipelining", [True, False])
    def test_of_a_whole_answer(self, driver: str, size: int, then: str, pipelining: bool, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            peer.reply(413, "RequestEntityTooLarge", close=True)
            if then == "closes":  # with unread bytes: a reset follows the reply
                peer.close()
            elif then == "ends":
                peer.end_sending()
            elif then == "reads":
                peer.rest()
            finish(server)  # "stays" reads nothing: the kernel's buffers are full

        slot = serve(driver, script, lambda invocation: b"x" * size, pipelining=pipelining)
        assert slot.ids == ["id-1"]
        assert log == ["ERROR the answer to id-1 was refused: 413 RequestEntityTooLarge: because"]

    def test_by_a_server_that_would_go_on_with_the_connection(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            peer.reply(410, "InvokeTimeout")
            finish(server)

        serve(driver, script, lambda invocation: b"x" * 64 * MEBIBYTE)
        assert log == ["DEBUG the answer to id-1 was refused: 410 InvokeTimeout: because"]

    @pytest.mark.parametrize("then", ["closes", "ends", "stays"])
    @pytest.mark.parametrize("status", [202, 400, 410, 413])
    def test_of_a_stream(self, driver: str, then: str, status: int, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            assert peer.chunk() == b"first"
            peer.reply(status, "Enough", close=status != 400)
            if then == "closes":
                peer.close()
            elif then == "ends":
                peer.end_sending()
            finish(server)

        slot = serve(driver, script, lambda invocation: Stream([b"first", *[b"x" * MEBIBYTE] * 64]))
        (refusal,) = slot.failures
        assert isinstance(refusal, Refused)
        assert refusal.status == status
        assert log == []  # the handler is told: its `write` raised it

    def test_of_an_error(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            peer.reply(413, "RequestEntityTooLarge", close=True)
            peer.close()
            finish(server)

        serve(driver, script, lambda invocation: an_error("long " * 10_000))
        assert log == ["ERROR the answer to id-1 was refused: 413 RequestEntityTooLarge: because"]


class TestConnections:
    def test_close_on_the_event(self, driver: str):
        def script(server: ScriptedServer) -> None:
            for number in range(3):
                peer = server.accept()
                peer.poll()
                peer.send_event(f"id-{number}", headers={"Connection": "close"})
                peer.close()
                peer = server.accept()
                peer.answer(f"id-{number}")
                peer.poll()
                peer.reply(202, close=True)
                peer.close()
            finish(server)

        assert serve(driver, script).ids == ["id-0", "id-1", "id-2"]

    @pytest.mark.parametrize(
        "answer", [Stream([b"a", b"b"]), Early(b"ab"), an_error()], ids=["stream", "early", "error"]
    )
    def test_close_on_the_event_before_other_answers(self, driver: str, answer: Stream | Early | ErrorReport):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1", headers={"Connection": "close"})
            peer = server.accept()
            peer.request()
            peer.reply(202, close=True)
            finish(server)

        slot = serve(driver, script, lambda invocation: answer, pipelining=False)
        assert (slot.ids, slot.failures) == (["id-1"], [])

    @pytest.mark.parametrize("poll", ["none", "taken", "unread"])
    @pytest.mark.parametrize("announced", [True, False])
    def test_the_server_closes_whenever_it_has_accepted_an_answer(self, driver: str, poll: str, announced: bool):
        """With the poll behind the answer unread, its close is a reset."""

        def script(server: ScriptedServer) -> None:
            for number in range(10):
                peer = server.accept()
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.answer(f"id-{number}")
                if poll == "taken":
                    peer.poll()
                peer.reply(202, close=announced)
                peer.close()
            finish(server)

        assert len(serve(driver, script, pipelining=poll != "none").ids) == 10

    def test_a_connection_is_closed_behind_a_stream(self, driver: str):
        def script(server: ScriptedServer) -> None:
            for number in range(3):
                peer = server.accept()
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.answer(f"id-{number}")
                peer.reply(202)
                assert peer.rest() == b""
            finish(server)

        assert len(serve(driver, script, lambda invocation: Stream([b"x"])).ids) == 3

    @pytest.mark.parametrize("end", ["close", "reset"])
    @pytest.mark.parametrize("seen", [True, False])
    def test_a_connection_that_dies_while_the_handler_works(self, driver: str, end: str, seen: bool):
        """An event loop may see it at once, or only when the answer is to go out."""
        dead = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            getattr(peer, end)()
            dead.set()
            peer = server.accept()
            assert peer.answer("id-1").body == b"late"
            peer.reply(202)
            finish(server, peer)

        def handler(invocation: object) -> bytes | Held:
            if seen:
                return Held(dead, b"late")
            assert dead.wait(scripted.PATIENCE)
            return b"late"

        assert serve(driver, script, handler).ids == ["id-1"]

    def test_a_stream_begins_on_a_connection_that_lives(self, driver: str):
        dead = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.close()
            dead.set()
            peer = server.accept()
            assert peer.answer("id-1").body == b"ab"
            peer.reply(202)
            finish(server)

        def handler(invocation: object) -> Stream:
            assert dead.wait(scripted.PATIENCE)
            return Stream([b"a", b"b"])

        assert serve(driver, script, handler).failures == []

    @pytest.mark.parametrize("end", ["close", "reset"])
    @pytest.mark.parametrize("said", [b"", b"HTTP", scripted.reply(202)[:-3]], ids=["nothing", "head", "body"])
    def test_an_answer_is_sent_again_when_its_reply_does_not_come(
        self, driver: str, end: str, said: bytes, log: list[str]
    ):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            if said:
                peer.send(said)
            getattr(peer, end)()
            peer = server.accept()
            assert peer.answer("id-1").body == b"answer"
            peer.reply(400, "InvalidRequestID")  # it had it: which is no news
            finish(server, peer)

        assert serve(driver, script).ids == ["id-1"]
        assert log == ["DEBUG the answer to id-1 was refused: 400 InvalidRequestID: because"]

    @pytest.mark.parametrize("answer", [b"x", b"x" * 5 * MEBIBYTE, an_error()], ids=["small", "large", "error"])
    def test_an_answer_is_sent_again_once(self, driver: str, answer: bytes | ErrorReport, log: list[str]):
        def script(server: ScriptedServer) -> None:
            for number in range(3):
                peer = server.accept()
                peer.poll()
                peer.send_event(f"id-{number}")
                peer.request()
                peer.close()
                peer = server.accept()
                peer.request()
                peer.close()
            finish(server)

        assert len(serve(driver, script, lambda invocation: answer).ids) == 3
        assert len(log) == 3
        for number, line in enumerate(log):
            assert line.startswith(f"ERROR the answer to id-{number} was lost: ")
            assert "AWS_LAMBDA_RUNTIME_API" in line

    def test_an_early_answer_is_sent_again_once(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            for _ in range(2):
                peer.answer("id-1")
                peer.close()
                peer = server.accept()
            finish(server, peer)

        serve(driver, script, lambda invocation: Early(b"x"))
        assert len(log) == 1

    @pytest.mark.parametrize("end", ["close", "reset"])
    def test_a_stream_is_not_sent_again(self, driver: str, end: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            assert peer.chunk() == b"first"
            getattr(peer, end)()
            finish(server)

        slot = serve(driver, script, lambda invocation: Stream([b"first", *[b"x" * MEBIBYTE] * 64]))
        (failure,) = slot.failures
        assert isinstance(failure, ConnectionLost)

    def test_a_stream_whose_reply_does_not_come(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.close()
            finish(server)

        (failure,) = serve(driver, script, lambda invocation: Stream([b"x"])).failures
        assert isinstance(failure, ConnectionLost)

    @pytest.mark.parametrize("end", ["close", "reset"])
    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2", scripted.event("id-0", b"cut off")[:-3]])
    def test_a_poll_is_sent_again_when_its_connection_dies(self, driver: str, end: str, said: bytes):
        def script(server: ScriptedServer) -> None:
            for _ in range(4):
                peer = server.accept()
                peer.poll()
                if said:
                    peer.send(said)
                getattr(peer, end)()
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)
            server.stop_client()

        assert serve(driver, script).ids == ["id-1"]

    def test_every_connection_dies(self, driver: str):
        def script(server: ScriptedServer) -> None:
            for _ in range(5):
                peer = server.accept()
                peer.poll()
                peer.close()

        with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:\d+ \(AWS_LAMBDA_RUNTIME_API\)"):
            serve(driver, script)

    def test_nothing_listens(self, driver: str):
        def script(server: ScriptedServer) -> None:
            server.close()

        with pytest.raises(ConnectionLost, match=r"no Runtime API at 127\.0\.0\.1:\d+ \(AWS_LAMBDA_RUNTIME_API\): "):
            serve(driver, script)

    def test_a_name_that_does_not_exist(self, driver: str):
        """One such as no name server is asked for."""
        with pytest.raises(ConnectionLost, match=r"no Runtime API at no\.\.host:\d+ \(AWS_LAMBDA_RUNTIME_API\): "):
            serve(driver, lambda server: None, name="no..host")

    def test_the_server_goes_away_while_the_handler_works(self, driver: str, log: list[str]):
        gone = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            server.close()
            peer.close()
            gone.set()

        def handler(invocation: object) -> bytes:
            assert gone.wait(scripted.PATIENCE)
            return b"to nobody"

        with pytest.raises(ConnectionLost, match="no Runtime API at"):
            serve(driver, script, handler)
        assert len(log) == 1
        assert log[0].startswith("ERROR the answer to id-1 was lost: no Runtime API at")

    @pytest.mark.parametrize(
        "garbage",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\n",
            b"HTTP/1.1 200 OK\r\n folded: yes\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ],
    )
    def test_garbage(self, driver: str, garbage: bytes):
        def script(server: ScriptedServer) -> None:
            for _ in range(5):
                peer = server.accept()
                peer.poll()
                peer.send(garbage)
                assert peer.rest() == b""

        with pytest.raises(ProtocolError, match=r"127\.0\.0\.1:\d+ \(AWS_LAMBDA_RUNTIME_API\) is no Runtime API: "):
            serve(driver, script)

    def test_garbage_in_reply_to_an_answer(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.send(b"What?\r\n\r\n")
            peer = server.accept()
            peer.answer("id-1")
            peer.reply(202)
            finish(server, peer)

        assert serve(driver, script).ids == ["id-1"]
        assert log == []

    def test_a_reply_that_nobody_asked_for(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send(scripted.event("id-1") + scripted.event("id-2"))
            peer.rest()
            peer = server.accept()
            peer.request()
            peer.reply(202, close=True)
            finish(server)

        assert serve(driver, script).ids == ["id-1"]

    def test_a_name(self, driver: str):
        hosts: list[str] = []

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            hosts.append(peer.poll().headers["host"])
            server.stop_client()

        serve(driver, script, name="localhost")
        assert hosts[0].startswith("localhost:")

    def test_ipv6(self, driver: str):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"this machine has no IPv6: {error}")
        hosts: list[str] = []

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            hosts.append(peer.poll().headers["host"])
            server.stop_client()

        serve(driver, script, host="::1")
        assert hosts[0].startswith("[::1]:")


class TestStopping:
    def test_while_idle(self, driver: str):
        assert serve(driver, finish).ids == []

    def test_while_a_handler_works(self, driver: str):
        """The invocation is answered once, and nothing polls behind it."""
        at_work, stopped = threading.Event(), threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            assert at_work.wait(scripted.PATIENCE)
            server.stop_client()
            stopped.set()
            peer.answer("id-1")
            peer.reply(202)
            assert peer.rest() == b""

        def handler(invocation: object) -> Held:
            at_work.set()
            return Held(stopped, b"answer")

        assert serve(driver, script, handler).ids == ["id-1"]

    def test_while_the_reply_to_an_answer_is_awaited(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            server.stop_client()
            peer.reply(202)
            assert peer.rest() == b""

        assert serve(driver, script).ids == ["id-1"]

    def test_while_the_reply_is_awaited_and_the_next_event_comes_with_it(self, driver: str):
        """The platform has handed the event out: it must be served, and answered once."""
        answers: list[Request] = []

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            server.stop_client()
            peer.send(scripted.reply(202) + scripted.event("id-2"))
            try:
                answers.append(peer.answer("id-2"))
            except EOFError:
                peer = server.accept()
                answers.append(peer.answer("id-2"))
            peer.reply(202)
            assert peer.rest() == b""

        assert serve(driver, script).ids == ["id-1", "id-2"]
        assert len(answers) == 1

    def test_an_answer_that_is_lost_then_is_sent_again(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            server.stop_client()
            peer.close()
            peer = server.accept()
            peer.answer("id-1")
            peer.reply(202)
            assert peer.rest() == b""

        assert serve(driver, script).ids == ["id-1"]
        assert log == []

    def test_an_answer_that_nobody_takes_any_more(self, driver: str, log: list[str]):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            server.stop_client()
            server.close()
            peer.close()

        assert serve(driver, script).ids == ["id-1"]
        assert len(log) == 1
        assert log[0].startswith("ERROR the answer to id-1 was lost: ")

    def test_in_the_middle_of_an_event(self, driver: str):
        """An event of which a part has arrived is read to its end."""
        answers: list[Request] = []
        message = scripted.event("id-1", b"x" * MEBIBYTE)

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send(message[: MEBIBYTE // 2])
            server.stop_client()
            peer.send(message[MEBIBYTE // 2 :])
            try:
                answers.append(peer.answer("id-1"))
            except EOFError:
                peer = server.accept()
                answers.append(peer.answer("id-1"))
            peer.reply(202)
            assert peer.rest() == b""

        slot = serve(driver, script)
        assert [len(invocation.payload) for invocation in slot.invocations] == [MEBIBYTE]
        assert len(answers) == 1

    def test_between_tries(self, driver: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(policy, "_DELAYS", (0.0, 1e6))

        def script(server: ScriptedServer) -> None:
            for _ in range(2):
                peer = server.accept()
                peer.poll()
                peer.close()
            server.stop_client()

        assert serve(driver, script).ids == []

    def test_twice(self, driver: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            server.stop_client()
            server.stop_client()
            assert peer.rest() == b""
            server.stop_client()

        assert serve(driver, script).ids == []
