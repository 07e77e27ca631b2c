"""What callers may try on the plane's API, over real sockets. A defect that the API reports fails each of these."""

from __future__ import annotations

import contextlib
import io
import socket
import stat
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polylambda.plane.api import app as app_module
from polylambda.plane.api import server as server_module
from polylambda.plane.code import LOCAL_FOLDER
from polylambda.plane.sigv4 import Credentials
from polylambda.server.broker import Invocation, Outcome, Response
from tests.plane_api import PATIENCE, ServedApi, function_body, served_api

FUNCTIONS = "/2015-03-31/functions"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedApi]:
    with served_api(tmp_path / "data") as served:
        yield served


@contextlib.contextmanager
def raw(served: ServedApi) -> Iterator[socket.socket]:
    with socket.create_connection(served.address, timeout=PATIENCE) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Return what comes until the other side hangs up."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def still_answers(served: ServedApi) -> bool:
    return served.request("GET", FUNCTIONS).status == 200


class TestRequests:
    def test_100_mb_of_headers(self, served: ServedApi):
        line = b"x-header: " + b"a" * 65_000 + b"\r\n"
        with raw(served) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(1600):
                    connection.sendall(line)
            # The answer may be lost with the connection, on which more comes than anybody wants to read.
            assert rest(connection)[:12] in (b"", b"HTTP/1.1 431")
        assert still_answers(served)

    def test_a_little_too_much_of_headers(self, served: ServedApi):
        with raw(served) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * server_module.MAX_HEAD)
            assert rest(connection).startswith(b"HTTP/1.1 431 ")

    def test_long_first_line(self, served: ServedApi):
        with raw(served) as connection:
            connection.sendall(b"GET /" + b"a" * server_module.MAX_HEAD)
            assert rest(connection).startswith(b"HTTP/1.1 431 ")

    def test_large_headers_within_the_limit(self, served: ServedApi):
        reply = served.request("GET", FUNCTIONS, headers={"x-large": "a" * 500_000})
        assert reply.status == 200

    def test_many_requests_on_one_connection(self, served: ServedApi):
        with contextlib.closing(served.connect()) as connection:
            for _ in range(5):
                connection.request("GET", FUNCTIONS, headers={"x-large": "a" * 400_000})
                response = connection.getresponse()
                response.read()
                assert response.status == 200

    def test_endless_body(self, served: ServedApi, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(server_module, "MAX_BODY", 1_000_000)
        with raw(served) as connection:
            connection.sendall(
                b"POST /2015-03-31/functions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            assert rest(connection)[:12] in (b"", b"HTTP/1.1 413")
        assert still_answers(served)

    def test_too_large_for_the_operation(self, served: ServedApi, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(app_module, "MAX_REQUEST", 1000)
        reply = served.request("POST", FUNCTIONS, b"x" * 1001)
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
        assert "smaller than 1000 bytes for the CreateFunction" in reply.json["message"]

    @pytest.mark.parametrize("body", [b"x" * 1_000_000, b"[" * 1_000_000, b'{"ZipFile": 5}' + b" " * 1_000_000])
    def test_large_nonsense(self, served: ServedApi, body: bytes):
        reply = served.request("PUT", f"{FUNCTIONS}/f/code", body)
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")

    @pytest.mark.parametrize("begin", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: localhost\r\n"])
    def test_slow_head(self, served: ServedApi, monkeypatch: pytest.MonkeyPatch, begin: bytes):
        monkeypatch.setattr(server_module, "PATIENCE", 0.05)
        with raw(served) as connection:
            connection.sendall(begin)
            assert rest(connection).startswith(b"HTTP/1.1 408 ")

    def test_slow_body(self, served: ServedApi, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(server_module, "PATIENCE", 0.05)
        with raw(served) as connection:
            connection.sendall(b"POST /2015-03-31/functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{")
            assert rest(connection).startswith(b"HTTP/1.1 408 ")
        assert still_answers(served)

    @pytest.mark.parametrize(
        "data", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"\0" * 1000]
    )
    def test_no_http(self, served: ServedApi, data: bytes):
        with raw(served) as connection:
            connection.sendall(data)
            assert rest(connection).startswith(b"HTTP/1.1 400 ")
        assert still_answers(served)

    def test_hanging_up_in_the_middle(self, served: ServedApi):
        for data in (b"GET", b"POST /2015-03-31/functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{"):
            with raw(served) as connection:
                connection.sendall(data)
        assert still_answers(served)

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000])
    def test_malformed_json(self, served: ServedApi, body: bytes):
        reply = served.request("POST", FUNCTIONS, body)
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
        served.make_published()
        reply = served.request("POST", f"{FUNCTIONS}/f/invocations", body)
        assert reply.status == (200 if body == b"[]" else 400)

    @pytest.mark.parametrize(
        "path",
        [
            "/2015-03-31/functions/..%2f..%2fetc%2fpasswd",
            "/2015-03-31/functions/%00",
            "/2015-03-31/functions/%2e%2e",
            "/2015-03-31/functions/f%0a",
            "/2015-03-31/functions/%ff",
            "/2025-11-30/capacity-providers/..%2f..",
            "/2025-11-30/capacity-providers/a%20b",
        ],
    )
    def test_names_that_are_paths(self, served: ServedApi, path: str):
        reply = served.request("GET", path)
        assert reply.status == 400
        assert reply.headers["x-amzn-errortype"] in ("ValidationException", "InvalidParameterValueException")

    @pytest.mark.parametrize(
        "path", ["/code/../plane.db", "/code/..%2fplane.db", f"/code/{'0' * 64}.zip", "/code/", "/"]
    )
    def test_files_of_the_data_directory(self, served: ServedApi, path: str):
        assert served.request("GET", path).status == 404

    def test_names_in_invocations(self, served: ServedApi):
        reply = served.request("POST", "/2015-03-31/functions/..%2Ff/invocations", {})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")

    @pytest.mark.parametrize(
        ("headers", "message"),
        [
            ({"x-amz-client-context": "%%%"}, "Client context"),
            ({"x-amz-client-context": "a" * 4000}, "the limit is 3583"),
            ({"x-amz-tenant-id": "a\tb"}, "tenant id"),
            ({"x-amz-invocation-type": "Later"}, "must be one of"),
            ({"x-amz-log-type": "All"}, "must be one of"),
        ],
    )
    def test_headers_of_invocations(self, served: ServedApi, headers: dict[str, str], message: str):
        served.make_published()
        reply = served.invoke({}, headers=headers)
        assert reply.status == 400
        assert message in reply.body.decode()

    def test_names_of_functions_in_bodies(self, served: ServedApi, tmp_path: Path):
        served.make_provider()
        for name in ("../evil", "/etc/evil", "a/b", "", "\0", "x" * 65):
            assert served.make_function(name).status == 400
        assert served.store.functions() == []
        assert {path.name for path in tmp_path.iterdir()} == {"data"}


def hostile_zip(name: str, mode: int = 0o100644, content: bytes = b"evil", claim: int | None = None) -> str:
    data = io.BytesIO()
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(info, content)
    packed = data.getvalue()
    if claim is not None:  # in the table of contents, which is where sizes are taken from
        place = packed.index(b"PK\x01\x02") + 24
        packed = packed[:place] + claim.to_bytes(4, "little") + packed[place + 4 :]
    return b64encode(packed).decode()


class TestZipFiles:
    @pytest.mark.parametrize(
        "code",
        [
            hostile_zip("../../evil"),
            hostile_zip("/tmp/evil-of-polylambda"),
            hostile_zip("evil", stat.S_IFLNK | 0o777, b"/etc/passwd"),
            b64encode(b"nothing of the kind").decode(),
            "",
        ],
    )
    def test_refused(self, served: ServedApi, tmp_path: Path, code: str):
        served.make_provider()
        reply = served.make_function(Code={"ZipFile": code})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")
        assert list((tmp_path / "data" / "code").iterdir()) == []
        assert not Path("/tmp/evil-of-polylambda").exists()

    def test_bomb(self, served: ServedApi, tmp_path: Path):
        served.make_provider()
        reply = served.make_function(Code={"ZipFile": hostile_zip("zeros", claim=251 * 1024 * 1024)})
        assert reply.status == 400
        assert "Unzipped size must be smaller than 262144000 bytes" in reply.json["message"]
        assert list((tmp_path / "data" / "code").iterdir()) == []

    def test_local_folder_that_is_none(self, served: ServedApi):
        served.make_provider()
        reply = served.make_function(Code={"S3Bucket": LOCAL_FOLDER, "S3Key": "relative/../../path"})
        assert (reply.status, "absolute path" in reply.json["message"]) == (400, True)


class TestAccess:
    def test_web_sites(self, served: ServedApi):
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}):
            assert served.request("POST", FUNCTIONS, function_body(), headers).status == 403
            assert served.request("POST", f"{FUNCTIONS}/f/invocations", {}, headers).status == 403
        signed = {"origin": "https://app.example", "authorization": "AWS4-HMAC-SHA256 Credential=any"}
        assert served.request("GET", FUNCTIONS, headers=signed).status == 200

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil"])
    def test_names_that_lead_here(self, served: ServedApi, host: str):
        reply = served.request("GET", FUNCTIONS, host=host)
        assert (reply.status, "may be anybody's" in reply.json["message"]) == (403, True)

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "x.localhost:80", "10.0.0.1", "[::1]", "[::1]:80"])
    def test_names_of_this_machine(self, served: ServedApi, host: str):
        assert served.request("GET", FUNCTIONS, host=host).status == 200

    def test_unsigned(self, tmp_path: Path):
        with served_api(tmp_path, credentials=Credentials({"A": "b"})) as served:
            for method, path in (("GET", FUNCTIONS), ("POST", f"{FUNCTIONS}/f/invocations")):
                reply = served.request(method, path)
                assert reply.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
                reply = served.request(method, path, headers={"authorization": "AWS4-HMAC-SHA256 x"})
                assert (reply.status, reply.headers["x-amzn-errortype"]) == (403, "IncompleteSignatureException")


class TestCallersThatLeave:
    def test_an_invocation_goes_on(self, served: ServedApi):
        served.make_published()
        begun: list[Response] = []
        served.control.answers = lambda invocation, response: begun.append(response)
        head = b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"
        with raw(served) as connection:
            connection.sendall(head)
            while not begun:  # the next request is answered after the one before was taken
                still_answers(served)
        still_answers(served)
        assert not begun[0].abandoned
        served.loop.call_soon_threadsafe(end, begun[0])
        assert still_answers(served)

    def test_a_stream_that_nobody_reads_is_given_up(self, served: ServedApi):
        served.make_published()
        begun: list[Response] = []

        def stream(invocation: Invocation, response: Response) -> None:
            response.begin("application/octet-stream", streamed=True)
            response.feed(b"x")
            begun.append(response)

        served.control.answers = stream
        path = b"/2021-11-15/functions/f/response-streaming-invocations"
        with raw(served) as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}")
            assert connection.recv(12) == b"HTTP/1.1 200"
        while not begun[0].abandoned:
            still_answers(served)


def end(response: Any) -> None:
    response.begin("application/json", streamed=False)
    response.end(Outcome.SUCCESS)
