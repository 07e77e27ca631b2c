"""The local server in front of real runtimes: polylambda's own, and a crashing, hanging, changing function."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from tests.integration.served_function import ServedFunction, served

APP = """
import os, sys, time
from pathlib import Path

def handler(event, context):
    do = event.get("do")
    if do == "raise":
        raise ValueError("no good")
    if do == "exit":
        os._exit(4)
    if do == "wait":  # until the test writes into the pipe
        print("waiting", flush=True)
        if Path(event["pipe"]).read_text() == "die":
            os._exit(4)
    if do == "environ":
        return {name: os.environ.get(name) for name in event["names"]}
    return {"echo": event, "tenant": context.tenant_id}

def pieces(event, context):
    yield b"one\\n"
    print("one was sent", flush=True)
    Path(event["pipe"]).read_text()
    yield b"two\\n"

def broken(event, context):
    yield b"one\\n"
    raise ValueError("no good")

def prelude(event: bytes, response, context):
    response.start_http(201, {"x-made-by": "app", "content-type": "text/plain"}, ["a=1", "b=2"])
    response.write(b"made")
    response.finish()

def url(event, context):
    return {"statusCode": 418, "body": event["rawPath"], "headers": {"x-q": event["rawQueryString"]}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def release(pipe: Path) -> None:
    """Let the function go on that reads `pipe`."""
    pipe.write_text("go")


def test_ten_callers_each_get_their_own_answer():
    with served() as function:
        answers = [function.invoke_later({"number": number}) for number in range(10)]
        assert [answer.result().status for answer in answers] == [200] * 10
        assert [answer.result().json["echo"]["number"] for answer in answers] == list(range(10))
        function.screen.wait_for("POST /invoke  ok", times=10)


def test_answers_come_in_the_order_of_the_queue(pipe: Path):
    with served() as function:
        first = function.invoke_later({"do": "wait", "pipe": str(pipe)})
        function.screen.wait_for("waiting")
        release(pipe)
        first.result()
        numbers = [function.invoke({"number": number}).json["echo"]["number"] for number in range(3)]
        assert numbers == [0, 1, 2]


def test_pieces_arrive_while_the_function_still_runs(pipe: Path):
    with served("app.pieces") as function:
        for _ in range(3):
            connection = function.connect()
            connection.request("POST", "/invoke", json.dumps({"pipe": str(pipe)}).encode())
            response = connection.getresponse()
            assert response.status == 200
            assert response.readline() == b"one\n"
            release(pipe)
            assert response.read() == b"two\n"
            connection.close()


@pytest.mark.parametrize("path", ["/invoke", "/a/b"])
def test_prelude_is_applied(path: str):
    with served("app.prelude") as function:
        reply = function.request(path=path)
        assert (reply.status, reply.headers["x-made-by"], reply.body) == (201, "app", b"made")
        assert reply.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_function_url():
    with served("app.url") as function:
        reply = function.request("GET", "/a%20b/c?x=1&y=2", b"")
        assert (reply.status, reply.body, reply.headers["x-q"]) == (418, b"/a%20b/c", "x=1&y=2")


def test_error_of_the_handler():
    with served() as function:
        reply = function.invoke({"do": "raise"})
        assert (reply.status, reply.json["errorType"], reply.json["errorMessage"]) == (500, "ValueError", "no good")
        assert function.request(path="/").status == 200  # a function URL's event has no "do"
        function.screen.wait_for("POST /invoke  error")
        assert "Function.ValueError" in function.screen.getvalue()


def test_caller_can_tell_that_a_stream_broke_off():
    with served("app.broken") as function:
        connection = function.connect()
        connection.request("POST", "/invoke", b"{}")
        response = connection.getresponse()
        assert response.readline() == b"one\n"
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        connection.close()
        assert function.request(path="/invoke", headers={"x-a": "b"}, body=b"").status == 400  # it goes on


def test_callers_who_hang_up_are_dropped_from_the_queue(pipe: Path):
    with served() as function:
        running = function.invoke_later({"do": "wait", "pipe": str(pipe)})
        function.screen.wait_for("waiting")
        hung_up = function.connect()
        hung_up.request("POST", "/invoke", b'{"number": 3}')
        others = [function.invoke_later({"number": number}) for number in (1, 2, 4, 5)]
        hung_up.close()
        function.screen.wait_for("hung up")
        release(pipe)
        assert running.result().status == 200
        assert [other.result().json["echo"]["number"] for other in others] == [1, 2, 4, 5]
        function.screen.wait_for("  ok  ", times=5)
        assert function.screen.getvalue().count("waiting") == 1


def test_caller_who_hangs_up_while_his_invocation_runs(pipe: Path):
    with served() as function:
        connection = function.connect()
        connection.request("POST", "/invoke", json.dumps({"do": "wait", "pipe": str(pipe)}).encode())
        function.screen.wait_for("waiting")
        connection.close()
        function.screen.wait_for("hung up")
        release(pipe)
        assert function.invoke({"number": 1}).json["echo"] == {"number": 1}


def test_more_than_the_queue_takes_is_throttled(pipe: Path):
    with served(queue_limit=1) as function:
        running = function.invoke_later({"do": "wait", "pipe": str(pipe)})
        function.screen.wait_for("waiting")
        others = [function.invoke_later({}) for _ in range(3)]
        function.screen.wait_for("refused", times=2)
        release(pipe)
        assert running.result().status == 200
        assert sorted(other.result().status for other in others) == [200, 429, 429]


def test_function_that_dies_is_started_again():
    with served() as function:
        reply = function.invoke({"do": "exit"})
        assert (reply.status, reply.json["errorType"]) == (500, "Runtime.ExitError")
        assert function.invoke({"number": 1}).status == 200
        assert function.invoke({"do": "exit"}).status == 500
        assert function.request(path="/").status == 200
        function.screen.wait_for("exit status 4", times=2)


def test_those_who_wait_when_a_function_dies_are_served_by_the_next(pipe: Path):
    with served() as function:
        running = function.invoke_later({"do": "wait", "pipe": str(pipe)})
        function.screen.wait_for("waiting")
        others = [function.invoke_later({"number": number}) for number in range(3)]
        hung_up = function.connect()
        hung_up.request("POST", "/invoke", b"{}")
        hung_up.close()
        function.screen.wait_for("hung up")
        pipe.write_text("die")
        assert running.result().json["errorType"] == "Runtime.ExitError"
        assert [other.result().json["echo"]["number"] for other in others] == [0, 1, 2]


def test_function_that_hangs_is_replaced(pipe: Path):
    with served(timeout=0.5) as function:
        reply = function.invoke({"do": "wait", "pipe": str(pipe)})
        assert (reply.status, reply.json["errorType"]) == (500, "Sandbox.Timedout")
        assert reply.json["errorMessage"] == "Task timed out after 0.50 seconds"
        assert function.invoke({"number": 1}).status == 200
        function.screen.wait_for("  timeout  ")


def test_one_slot_that_hangs_is_as_bad(pipe: Path):
    with served(timeout=0.5, concurrency=1) as function:
        assert function.invoke({"do": "wait", "pipe": str(pipe)}).json["errorType"] == "Sandbox.Timedout"
        assert function.invoke({"number": 1}).status == 200


def test_other_slots_go_on_when_one_hangs(pipe: Path):
    with served(timeout=1, concurrency=2) as function:
        stuck = function.invoke_later({"do": "wait", "pipe": str(pipe)})
        function.screen.wait_for("waiting")
        assert function.invoke({"number": 1}).status == 200
        assert stuck.result().json["errorType"] == "Sandbox.Timedout"
        assert function.invoke({"number": 2}).status == 200
        assert "killing" not in function.screen.getvalue()
        release(pipe)


def test_concurrency_of_the_env_file(folder: Path):
    (folder / ".env").write_text("AWS_LAMBDA_MAX_CONCURRENCY=4\n")
    names = ["AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_INITIALIZATION_TYPE"]
    with served(env_file=Path(".env")) as function:
        values = function.invoke({"do": "environ", "names": names}).json
        assert values == dict(zip(names, ["4", "lambda-managed-instances"], strict=True))
        assert "4 invocations" in function.screen.getvalue()


@pytest.mark.parametrize("mode", ["thread", "hybrid"])
def test_handler_that_nobody_declared_safe(mode: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_LAMBDA_CONCURRENCY_MODE", mode)
    with served(concurrency=4) as function:
        assert "declare it @concurrency_safe" in function.invoke({}).json["errorMessage"]


def test_ways_in_are_told_first():
    with served() as function:
        function.screen.wait_for("ready in")
        shown = function.screen.getvalue()
        assert shown.startswith("polylambda ")
        assert shown.index("Ctrl-C") < shown.index("ready in")


def test_function_that_cannot_start(folder: Path):
    (folder / "app.py").write_text("import nothing_of_this_name")
    with served() as function:
        function.screen.wait_for("the function could not start: Runtime.ImportModuleError")
        reply = function.invoke({})
        assert (reply.status, reply.json["errorType"]) == (500, "Runtime.ImportModuleError")
        assert "nothing_of_this_name" in reply.json["errorMessage"]


def test_function_that_could_not_start_is_tried_again(folder: Path):
    (folder / "app.py").write_text("open('needed')\ndef handler(event, context):\n    return 'ready'\n")
    with served() as function:
        function.screen.wait_for("the function could not start")
        (folder / "needed").touch()
        assert function.invoke({}).json == "ready"


def test_environment_of_the_function(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INHERITED", "yes")
    (folder / ".env").write_text("FROM_FILE='a b'\nAWS_LAMBDA_FUNCTION_NAME=orders\n")
    names = [
        "INHERITED",
        "FROM_FILE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "AWS_LAMBDA_MAX_CONCURRENCY",
    ]
    with served(env_file=Path(".env")) as function:
        assert function.invoke({"do": "environ", "names": names}).json == {
            "INHERITED": "yes",
            "FROM_FILE": "a b",
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
            "LAMBDA_TASK_ROOT": str(folder),
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_MAX_CONCURRENCY": None,
        }


def test_custom_endpoint():
    with served(endpoint="/2/run") as function:
        assert function.request(path="/2/run?x=y", body=b"[1]").status == 500  # the handler takes objects only
        assert function.request(path="/2/run", body=b'{"a": 1}').json["echo"] == {"a": 1}
        assert "rawPath" in function.request(path="/invoke").json["echo"]  # a function URL like any other


def test_asynchronous_invocation_runs():
    with served() as function:
        path = "/2015-03-31/functions/function/invocations"
        reply = function.request(path=path, headers={"X-Amz-Invocation-Type": "Event"})
        assert (reply.status, reply.body) == (202, b"")
        function.screen.wait_for("Invoke Event  ok")


def test_output_of_the_function_comes_before_its_line():
    with served() as function:
        function.invoke({"do": "raise"})
        function.screen.wait_for("POST /invoke  error")
        text = function.screen.getvalue()
        assert text.index("[ERROR] ValueError: no good") < text.index("POST /invoke  error")
        assert "\r" not in text


class TestReload:
    @pytest.fixture
    def function(self, folder: Path) -> Iterator[ServedFunction]:
        self.write(folder, "def handler(event, context):\n    return 'old'\n")
        with served(watch=(folder,)) as function:
            assert function.invoke({}).json == "old"
            yield function

    @staticmethod
    def write(folder: Path, source: str) -> None:
        # As editors do: nobody sees half a file.
        (folder / "new").write_text(source)
        (folder / "new").replace(folder / "app.py")

    def test_change_starts_the_function_anew(self, folder: Path, function: ServedFunction):
        # Longer than the old one: byte code of a file that changed within the same second counts if its size is the same.
        self.write(folder, "def handler(event, context):\n    return 'a new one'\n")
        function.screen.wait_for("app.py")
        function.screen.wait_for("ready in", times=2)
        assert function.invoke({}).json == "a new one"

    def test_what_is_under_way_is_finished_first(self, folder: Path, function: ServedFunction, pipe: Path):
        self.write(folder, "def handler(event, context):\n    print('waiting')\n    return open('pipe').read()\n")
        function.screen.wait_for("ready in", times=2)
        running = function.invoke_later({})
        function.screen.wait_for("waiting")
        self.write(folder, "def handler(event, context):\n    return 'new'\n")
        function.screen.wait_for("changed", times=2)
        following = function.invoke_later({})
        release(pipe)
        assert running.result().json == "go"
        assert following.result().json == "new"

    def test_those_who_wait_while_it_starts_are_served_by_the_next(
        self, folder: Path, function: ServedFunction, pipe: Path
    ):
        self.write(folder, "print('importing', flush=True)\nopen('pipe').read()\n")
        function.screen.wait_for("importing")
        waiting = [function.invoke_later({}) for _ in range(3)]
        hung_up = function.connect()
        hung_up.request("POST", "/invoke", b"{}")
        hung_up.close()
        function.screen.wait_for("hung up")
        self.write(folder, "def handler(event, context):\n    return 'new'\n")
        assert [one.result().json for one in waiting] == ["new"] * 3

    def test_broken_change_is_told_until_it_is_mended(self, folder: Path, function: ServedFunction):
        self.write(folder, "def handler(event, context)\n")
        function.screen.wait_for("could not start")
        for _ in range(2):
            reply = function.invoke({})
            assert (reply.status, reply.json["errorType"]) == (500, "Runtime.UserCodeSyntaxError")
        self.write(folder, "def handler(event, context):\n    return 'mended'\n")
        function.screen.wait_for("changed", times=2)
        assert function.invoke({}).json == "mended"

    def test_other_files_do_not_count(self, folder: Path, function: ServedFunction):
        (folder / "data.json").write_text("{}")
        self.write(folder, "def handler(event, context):\n    return 'new'\n")
        function.screen.wait_for("changed")
        assert "data.json" not in function.screen.getvalue()

    def test_env_file_counts(self, folder: Path):
        self.write(folder, "import os\ndef handler(event, context):\n    return os.environ['VALUE']\n")
        env_file = folder / "settings"
        env_file.write_text("VALUE=old")
        with served(watch=(folder,), env_file=env_file) as function:
            assert function.invoke({}).json == "old"
            env_file.write_text("VALUE=new")
            function.screen.wait_for("settings changed")
            function.screen.wait_for("ready in", times=2)
            assert function.invoke({}).json == "new"

    def test_env_file_that_disappears(self, folder: Path):
        env_file = folder / "settings"
        env_file.write_text("VALUE=old")
        with served(watch=(folder,), env_file=env_file) as function:
            assert function.invoke({}).status == 200
            env_file.unlink()
            function.screen.wait_for("settings changed")
            function.screen.wait_for("cannot be read")
            assert function.invoke({}).status == 500
            env_file.write_text("VALUE=new")
            function.screen.wait_for("settings changed", times=2)
            assert function.invoke({}).status == 200


class TestStart:
    def test_command_that_does_not_exist(self):
        with pytest.raises(ConfigurationError, match="cannot run 'no-such-program'"), served(["no-such-program"]):
            pass

    def test_port_in_use(self):
        with served() as function:
            port = int(function.url.rpartition(":")[2])
            with pytest.raises(ConfigurationError, match=f"port {port} .* is in use"), served(port=port):
                pass

    def test_folder_that_cannot_be_watched(self, folder: Path):
        message = r"cannot watch for changes: .*; start without --reload"
        with pytest.raises(ConfigurationError, match=message), served(watch=(folder / "nowhere",)):
            pass

    def test_command_that_ends_at_once(self):
        with served([sys.executable, "-c", "pass"]) as function:
            reply = function.invoke({})
            assert (reply.status, reply.json["errorType"]) == (500, "Runtime.ExitError")
