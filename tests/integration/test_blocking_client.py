"""What only the blocking client has: other threads and signals that stop it, and calls that are no invocations."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from polylambda.errors import ConnectionLost, Refused
from polylambda.rapi import blocking
from polylambda.rapi.address import Address
from polylambda.rapi.blocking import BlockingClient, BlockingSink
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.rapi.events import Invocation
from polylambda.report import report
from tests import scripted
from tests.scripted import PATIENCE, Peer, Request, ScriptedServer


@contextlib.contextmanager
def connected(script: Callable[[ScriptedServer], None]) -> Iterator[BlockingClient]:
    with ScriptedServer(script) as server:
        client = BlockingClient(Address(server.address))
        server.stop_client = client.stop
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def opened(script: Callable[[ScriptedServer], None]) -> Iterator[BlockingConnection]:
    with ScriptedServer(script) as server:
        connection = BlockingConnection(Address(server.address))
        try:
            yield connection
        finally:
            connection.close()


def first_event(server: ScriptedServer, request_id: str = "id-1") -> Peer:
    peer = server.accept()
    peer.poll()
    peer.send_event(request_id)
    return peer


def send_much(sink: BlockingSink) -> None:
    """Send more than any buffer holds."""
    for _ in range(64):
        sink.send(b"x" * 1024 * 1024)


class TestStopping:
    def test_by_a_signal(self):
        main = threading.get_ident()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            signal.pthread_kill(main, signal.SIGUSR1)
            assert peer.rest() == b""

        with connected(script) as client:
            before = signal.signal(signal.SIGUSR1, lambda number, frame: client.stop())
            try:
                assert client.next() is None
            finally:
                signal.signal(signal.SIGUSR1, before)
            client.close()

    def test_before_the_first_poll(self):
        with connected(lambda server: None) as client:
            client.stop()
            assert client.next() is None
            assert client.next() is None

    @pytest.mark.parametrize("arrived", [1.0, 0.5, 0.001])
    def test_an_event_that_has_arrived_is_served(self, monkeypatch: pytest.MonkeyPatch, arrived: float):
        """Also when only its beginning has arrived. It is answered on a new connection: the old one hears no reply."""
        message = scripted.event("id-1", b"x" * 100_000)
        size = int(len(message) * arrived)
        sent, shut = threading.Event(), threading.Event()
        read = BlockingConnection.read

        def read_later(connection: BlockingConnection) -> object:
            if not shut.is_set():
                assert sent.wait(PATIENCE)
                client.stop()
                shut.set()
            return read(connection)

        monkeypatch.setattr(BlockingConnection, "read", read_later)

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send(message[:size])
            sent.set()
            assert shut.wait(PATIENCE)
            if message[size:]:
                peer.send(message[size:])
            answering = server.accept()
            answering.answer("id-1")
            answering.reply(202)
            assert answering.rest() == b""
            assert peer.rest() == b""

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            assert invocation.payload == b"x" * 100_000
            client.answer(invocation, b"answer", "text/plain", poll=True)
            assert client.next() is None
            client.close()

    def test_while_connecting(self):
        """A listener with a full backlog lets nobody in."""
        with socket.socket() as listener, socket.socket() as filler:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            filler.connect(listener.getsockname())
            connecting = threading.Event()

            class Slow(Address):
                def connect(self, stopped: Callable[[], bool]) -> object:
                    connecting.set()
                    return super().connect(stopped)

            client = BlockingClient(Slow(f"127.0.0.1:{listener.getsockname()[1]}"))

            def stop() -> None:
                assert connecting.wait(PATIENCE)
                client.stop()

            thread = threading.Thread(target=stop)
            thread.start()
            assert client.next() is None
            thread.join()

    def test_while_connecting_for_an_answer(self):
        """It is not waited for for ever, and the log says that it is lost."""

        def script(server: ScriptedServer) -> None:
            first_event(server).close()
            server.close()

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            client.stop()
            client.answer(invocation, b"answer", "text/plain", poll=True)
            assert client.next() is None

    def test_by_many_threads_at_any_time(self):
        """Whatever stop() meets, each event is answered once, and nothing hangs."""
        for _ in range(30):
            answered: list[str] = []

            def script(server: ScriptedServer, answered: list[str] = answered) -> None:
                with contextlib.suppress(OSError, EOFError):
                    while True:
                        peer = server.accept()
                        with contextlib.suppress(EOFError, ConnectionError):
                            while True:
                                request = peer.request()
                                if request.method == "POST":
                                    answered.append(request.path.split("/")[4])
                                    peer.reply(202)
                                else:
                                    peer.send_event(f"id-{len(answered)}")

            with ScriptedServer(script) as server:
                client = BlockingClient(Address(server.address))
                threads = [threading.Thread(target=client.stop) for _ in range(3)]
                served: list[str] = []
                while (invocation := client.next()) is not None:
                    served.append(invocation.request_id)
                    client.answer(invocation, b"x", "text/plain", poll=True)
                    if len(served) == 5:
                        for thread in threads:
                            thread.start()
                client.settle()
                client.close()
                for thread in threads:
                    thread.join()
                server.close()
            assert answered == served


class TestStreams:
    def test_every_step_after_a_failure_fails(self):
        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.head()
            peer.chunk()
            peer.reply(410, "InvokeTimeout")
            server.accept().poll()
            server.stop_client()

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            sink = BlockingSink(client, invocation)
            sink.start("text/plain")
            with pytest.raises(Refused, match="410 InvokeTimeout"):
                send_much(sink)
            for step in (lambda: sink.send(b"x"), lambda: sink.end(None)):
                with pytest.raises(ConnectionLost, match="cut short"):
                    step()
            assert client.next() is None

    def test_a_stream_that_nobody_ends_is_cut_off_by_the_next_poll(self):
        """For a handler that fails between two writes in a way that leaves nothing to say."""

        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.head()
            assert peer.chunk() == b"begun"
            assert peer.rest() == b""
            server.accept().poll()
            server.stop_client()

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            sink = BlockingSink(client, invocation)
            sink.start("text/plain")
            sink.send(b"begun")
            assert client.next() is None

    def test_one_that_cannot_begin(self):
        gone = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            server.close()
            peer.close()
            gone.set()

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            assert gone.wait(PATIENCE)
            with pytest.raises(ConnectionLost, match="no Runtime API at"):
                BlockingSink(client, invocation).start("text/plain")
            client.stop()
            assert client.next() is None

    def test_bytes_on_an_idle_connection_disqualify_it(self):
        said = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            said.set()
            assert peer.rest() == b""
            peer = server.accept()
            peer.answer("id-1")
            peer.reply(202)

        with connected(script) as client:
            invocation = client.next()
            assert invocation is not None
            assert said.wait(PATIENCE)
            sink = BlockingSink(client, invocation)
            sink.start("text/plain")
            sink.end(None)


class TestCalls:
    def called(self, make: Callable[[BlockingConnection], bytes], answer: bytes) -> tuple[Request, object]:
        requests: list[Request] = []

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            requests.append(peer.request())
            peer.send(answer)

        with opened(script) as connection:
            reply = connection.call(make(connection))
        return requests[0], reply

    def test_an_init_error(self):
        told = report(ImportError("no module"))
        told.function_error_type = "Runtime.ImportModuleError"
        request, reply = self.called(lambda connection: connection.open().init_error(told), scripted.reply(202))
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/init/error")
        assert request.headers["lambda-runtime-function-error-type"] == "Runtime.ImportModuleError"
        assert b'"no module"' in request.body
        assert reply.accepted

    def test_an_init_error_that_is_refused(self):
        _, reply = self.called(
            lambda connection: connection.open().init_error(report(ImportError("no"))), scripted.reply(403, "Forbidden")
        )
        assert (reply.status, reply.accepted, reply.reason()) == (403, False, ("Forbidden", "because"))

    def test_snap_start(self):
        request, reply = self.called(
            lambda connection: connection.open().restore_next(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        )
        assert (request.method, request.path) == ("GET", "/2018-06-01/runtime/restore/next")
        assert reply.accepted
        request, _ = self.called(
            lambda connection: connection.open().restore_error(report(ValueError("no"))), scripted.reply(202)
        )
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/restore/error")

    def test_an_extension(self):
        requests: list[Request] = []
        answer = {"Lambda-Extension-Identifier": "ext-1", "Content-Length": "2"}

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            requests.append(peer.request())
            peer.send(scripted.head("200 OK", answer) + b"{}")
            requests.append(peer.request())
            assert peer.rest() == b""

        with opened(script) as connection:
            reply = connection.call(connection.open().register_extension("polylambda"))
            assert reply.headers["lambda-extension-identifier"] == "ext-1"
            connection.send(connection.open().extension_next("ext-1"))
            connection.close()
        register, following = requests
        assert (register.method, register.path) == ("POST", "/2020-01-01/extension/register")
        assert register.headers["lambda-extension-name"] == "polylambda"
        assert register.body == b'{"events":[]}'
        assert (following.method, following.path) == ("GET", "/2020-01-01/extension/event/next")
        assert following.headers["lambda-extension-identifier"] == "ext-1"

    def test_no_reply(self):
        with (
            opened(lambda server: server.accept().close()) as connection,
            pytest.raises(ConnectionLost, match="AWS_LAMBDA_RUNTIME_API"),
        ):
            connection.call(connection.open().restore_next())


class TestConnecting:
    def test_every_address_is_tried(self):
        class Many(Address):
            def resolve(self, *, numeric: bool = False) -> list[tuple[int, object]]:
                (found,) = super().resolve()
                return [(found[0], ("127.0.0.1", closed)), found]

        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            closed = unused.getsockname()[1]

            def script(server: ScriptedServer) -> None:
                server.accept().poll()
                server.stop_client()

            with ScriptedServer(script) as server:
                client = BlockingClient(Many(server.address))
                server.stop_client = client.stop
                assert client.next() is None
                client.close()

    def test_a_poll_waits_for_ever(self):
        with connected(lambda server: server.accept()) as client:
            assert client._connect().state == "idle"
            sock = client._connection._sock
            assert sock is not None
            assert sock.gettimeout() is None
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16) == bytes(16)


class Recording:
    """A keeper that writes down what it hears; of bytes that arrive, the ids of the events whose heads are whole."""

    def __init__(self, adopted: int | None = None) -> None:
        self.steps: list[str] = []
        self._adopted = adopted

    def adopt(self) -> tuple[int, bytes] | None:
        adopted, self._adopted = self._adopted, None
        return None if adopted is None else (adopted, b"")

    def opened(self, fd: int, number: int = 0) -> None:
        socket.socket(fileno=os.dup(fd)).close()  # it is a socket's
        self.steps.append(f"opened{' the other' * number}")

    def closed(self, number: int = 0) -> None:
        self.steps.append(f"closed{' the other' * number}")

    def receive(self, sock: socket.socket, begun: bool) -> bytes:
        data = sock.recv(65536)
        ids = re.findall(rb"Lambda-Runtime-Aws-Request-Id: (\S+)\r\n", data)
        self.steps += [f"{found.decode()} arrives" for found in ids]
        return data

    def received(self, invocation: Invocation) -> None:
        self.steps.append(f"{invocation.request_id} received")

    def answering(self) -> None:
        self.steps.append("answering")

    def reaching(self, number: int) -> None:
        self.steps.append(f"reaching{' the other' * number}")

    def reached(self) -> None:
        self.steps.append("reached")

    def polling(self, number: int = 0) -> None:
        self.steps.append(f"polling{' on the other' * number}")


class TestKeptConnection:
    """One with a keeper waits for the reply to an answer and the next event together."""

    def three_events(self, server: ScriptedServer) -> list[str]:
        """Answer three events; return their ids."""
        client = BlockingClient(Address(server.address), keeper=Recording())
        ids: list[str] = []
        for poll in (True, True, False):
            invocation = client.next()
            assert invocation is not None
            ids.append(invocation.request_id)
            client.answer(invocation, b"{}", "application/json", poll=poll)
        client.settle()
        client.close()
        return ids

    @pytest.mark.parametrize("by_signal", [False, True])
    @pytest.mark.parametrize("replied", [True, False], ids=["replied", "not yet replied"])
    def test_stop_does_not_wait_for_the_next_event(self, *, replied: bool, by_signal: bool):
        main = threading.get_ident()
        done = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)  # from now on it is known what a reply looks like
            peer.send_event("id-2")
            peer.answer("id-2")
            peer.poll()
            if replied:
                peer.reply(202)
            if by_signal:
                signal.pthread_kill(main, signal.SIGUSR1)
            else:
                server.stop_client()
            if not replied:  # nobody knows whether the platform had the answer: it gets it again
                again = server.accept()
                again.answer("id-2")
                again.reply(400, "InvalidRequestID")
            assert done.wait(PATIENCE)

        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=Recording())
            server.stop_client = client.stop
            before = signal.signal(signal.SIGUSR1, lambda number, frame: client.stop())
            try:
                for _ in range(2):
                    invocation = client.next()
                    assert invocation is not None
                    client.answer(invocation, b"{}", "application/json", poll=True)
                assert client.next() is None
                client.settle()
            finally:
                signal.signal(signal.SIGUSR1, before)
                client.close()
                done.set()

    def test_an_event_in_small_pieces(self):
        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            for number in (2, 3):
                peer.answer(f"id-{number - 1}")
                peer.poll()
                peer.send(scripted.reply(202) + scripted.event(f"id-{number}"), pieces=7)
            peer.answer("id-3")
            peer.reply(202)

        with ScriptedServer(script) as server:
            assert self.three_events(server) == ["id-1", "id-2", "id-3"]

    def test_a_refusal_that_ends_the_connection(self, caplog: pytest.LogCaptureFixture):
        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)
            peer.send_event("id-2")
            peer.answer("id-2")
            peer.poll()
            peer.reply(413, "RequestEntityTooLarge", close=True)
            peer.close()
            other = server.accept()
            other.poll()
            other.send_event("id-3")
            other.answer("id-3")
            other.reply(202)

        with ScriptedServer(script) as server:
            assert self.three_events(server) == ["id-1", "id-2", "id-3"]
        assert "the answer to id-2 was refused" in caplog.text


def predecessor(server: ScriptedServer) -> int:
    """The descriptor of a connection on which somebody has answered id-0 and polled, then died."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))) as sock:
        path = "/2018-06-01/runtime/invocation/"
        sock.sendall(
            f"POST {path}id-0/response HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}"
            f"GET {path}next HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        )
        return os.dup(sock.fileno())


class TestKeeper:
    def test_every_step_is_told(self):
        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.answer("id-1")
            peer.poll()
            peer.send(scripted.reply(202) + scripted.event("id-2"))
            peer.answer("id-2", "error")
            peer.reply(202)

        keeper = Recording()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=keeper)
            first = client.next()
            assert first is not None
            client.answer(first, b"{}", "application/json", poll=True)
            second = client.next()
            assert second is not None
            client.error(second, report(ValueError("no luck")), poll=False)
            client.settle()
            client.close()

        assert keeper.steps == [
            "opened",
            "polling",
            "id-1 arrives",
            "id-1 received",
            "answering",
            "polling",
            "id-2 arrives",
            "id-2 received",
            "closed",
        ]

    def test_every_step_of_a_poll_before_the_answer_is_told(self, monkeypatch: pytest.MonkeyPatch):
        def script(server: ScriptedServer) -> None:
            one = first_event(server)
            other = server.accept()
            other.poll()
            one.answer("id-1")
            one.reply(202)
            other.send_event("id-2")
            one.poll()
            other.answer("id-2")
            other.reply(202)

        monkeypatch.setattr(blocking, "_LONG", 0.0)
        keeper = Recording()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), poll_first=True, keeper=keeper)
            for _ in range(2):
                event = client.next()
                assert event is not None
                client.answer(event, b"{}", "application/json", poll=True)
            client.settle()
            client.close()

        assert keeper.steps == [
            "opened",
            "polling",
            "id-1 arrives",
            "id-1 received",
            "opened the other",
            "reaching the other",
            "reached",
            "polling on the other",  # the answer has gone out
            "polling on the other",  # and was taken
            "id-2 arrives",
            "id-2 received",
            "reaching",
            "reached",
            "polling",
            "closed the other",
            "closed",
        ]

    def test_without_pipelining_a_poll_follows_the_reply(self):
        def script(server: ScriptedServer) -> None:
            peer = first_event(server)
            peer.answer("id-1")
            peer.reply(202)
            peer.poll()
            peer.send_event("id-2")
            peer.rest()

        keeper = Recording()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=keeper, pipelining=False)
            first = client.next()
            assert first is not None
            client.answer(first, b"{}", "application/json", poll=True)
            assert "answering" not in keeper.steps
            assert client.next() is not None
            client.close()

        assert keeper.steps[3:] == ["id-1 received", "polling", "id-2 arrives", "id-2 received", "closed"]

    def test_a_broken_connection_is_told_before_the_next_one(self):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.close()
            peer = first_event(server)
            peer.rest()

        keeper = Recording()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=keeper)
            assert client.next() is not None
            client.close()

        assert keeper.steps == [
            "opened",
            "polling",
            "closed",
            "opened",
            "polling",
            "id-1 arrives",
            "id-1 received",
            "closed",
        ]

    def test_an_event_that_comes_in_pieces_is_told_when_it_is_there(self):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1", b'{"a": 1}', pieces=1)
            peer.rest()

        keeper = Recording()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=keeper)
            assert client.next() is not None
            client.close()

        assert [step for step in keeper.steps if step != "id-1 arrives"] == [
            "opened",
            "polling",
            "id-1 received",
            "closed",
        ]

    @pytest.mark.parametrize("replied", [True, False], ids=["the reply to its answer is to come", "it was read"])
    def test_a_predecessors_connection_is_taken_over_poll_and_all(self, replied: bool):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.answer("id-0")
            peer.poll()
            if replied:
                peer.send(scripted.reply(202) + scripted.event("id-1", b'{"a": 1}'))
            else:
                peer.send_event("id-1", b'{"a": 1}')
            peer.answer("id-1")
            peer.poll()
            peer.send(scripted.reply(202) + scripted.event("id-2"))
            peer.rest()

        with ScriptedServer(script) as server:
            keeper = Recording(predecessor(server))
            client = BlockingClient(Address(server.address), keeper=keeper)
            first = client.next()
            assert first is not None
            assert (first.request_id, first.payload) == ("id-1", b'{"a": 1}')
            client.answer(first, b"{}", "application/json", poll=True)
            second = client.next()
            assert second is not None
            assert second.request_id == "id-2"
            client.close()

        assert keeper.steps == [
            "id-1 arrives",
            "id-1 received",
            "answering",
            "polling",
            "id-2 arrives",
            "id-2 received",
            "closed",
        ]

    def test_a_predecessors_connection_that_is_broken_is_replaced(self):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.answer("id-0")
            peer.poll()
            peer.close()
            first_event(server).rest()

        with ScriptedServer(script) as server:
            keeper = Recording(predecessor(server))
            client = BlockingClient(Address(server.address), keeper=keeper)
            invocation = client.next()
            assert invocation is not None
            assert invocation.request_id == "id-1"
            client.close()

        assert keeper.steps == ["closed", "opened", "polling", "id-1 arrives", "id-1 received", "closed"]

    def test_stopping_gives_a_predecessors_poll_up(self):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.answer("id-0")
            peer.poll()
            assert ready.wait(PATIENCE)
            server.stop_client()
            assert peer.rest() == b""

        ready = threading.Event()
        with ScriptedServer(script) as server:
            client = BlockingClient(Address(server.address), keeper=Recording(predecessor(server)))
            server.stop_client = client.stop
            ready.set()
            assert client.next() is None
            client.close()
