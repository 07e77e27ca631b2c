from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import polylambda
from polylambda import cli
from polylambda.cli import commands
from polylambda.local.options import Options


class Calls:
    """Stands in for what the commands lead to."""

    def __init__(self) -> None:
        self.command: list[str] = []
        self.options = Options()
        self.rest: dict[str, Any] = {}

    def serve(self, command: list[str], *, options: Options) -> None:
        self.command, self.options = command, options

    def invoke_once(self, command: list[str], options: Options, payload: bytes, **rest: Any) -> int:
        self.command, self.options, self.rest = command, options, {"payload": payload, **rest}
        return 3


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    calls = Calls()
    monkeypatch.setattr(commands, "serve", calls.serve)
    monkeypatch.setattr(commands, "invoke_once", calls.invoke_once)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").touch()
    return calls


class TestDev:
    def test_defaults(self, calls: Calls):
        assert cli.main(["dev", "app.handler"]) == 0
        assert calls.command == [sys.executable, "-m", "polylambda", "app.handler"]
        assert calls.options == Options(handler="app.handler")

    def test_every_option(self, calls: Calls, tmp_path: Path):
        line = "dev app.handler --port 0 --host ::1 --reload --timeout 1.5 --env-file .env --concurrency 8 --queue 5"
        assert cli.main(line.split()) == 0
        assert calls.options == Options(
            host="::1",
            port=0,
            timeout=1.5,
            concurrency=8,
            queue_limit=5,
            env_file=Path(".env"),
            handler="app.handler",
            watch=(tmp_path,),
        )

    def test_environment_variables_are_the_defaults(self, calls: Calls, monkeypatch: pytest.MonkeyPatch):
        for name, value in {"HOST": "::1", "PORT": "80", "INVOCATION_ENDPOINT": "/run"}.items():
            monkeypatch.setenv(f"LOCAL_LAMBDA_{name}", value)
        cli.main(["dev", "app.handler"])
        assert (calls.options.host, calls.options.port, calls.options.endpoint) == ("::1", 80, "/run")
        cli.main(["dev", "app.handler", "--port", "81", "--host", "localhost"])
        assert (calls.options.host, calls.options.port) == ("localhost", 81)

    def test_command(self, calls: Calls):
        assert cli.main(["dev", "--port", "1", "--reload", "--", "./bootstrap", "--port", "x", "--", "y"]) == 0
        assert calls.command == ["./bootstrap", "--port", "x", "--", "y"]
        assert (calls.options.port, calls.options.handler, calls.options.watch_python_only) == (1, "", False)


class TestInvoke:
    def test_defaults(self, calls: Calls):
        assert cli.main(["invoke", "app.handler"]) == 3
        assert calls.command == [sys.executable, "-m", "polylambda", "app.handler"]
        assert calls.options == Options(handler="app.handler")
        assert calls.rest == {"payload": b"{}", "client_context": "", "stream": False}

    def test_every_option(self, calls: Calls):
        line = ["--event", "[1]", "--stream", "--timeout", "2", "--client-context", '{"custom": {}}', "--env-file", "e"]
        assert cli.main(["invoke", *line, "--", "./bootstrap"]) == 3
        assert calls.command == ["./bootstrap"]
        assert calls.options == Options(timeout=2, env_file=Path("e"))
        assert calls.rest == {"payload": b"[1]", "client_context": '{"custom": {}}', "stream": True}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("frobnicate", "frobnicate"),
        ("dev", "name the handler"),
        ("dev app.handler other.handler", "other.handler"),
        ("dev app.handler --prot 1", "--prot"),
        ("dev app.handler --port abc", "abc"),
        ("dev app.handler --port 65536", "65536"),
        ("dev app.handler --port", "--port"),
        ("dev app.handler --timeout 0", "--timeout"),
        ("dev app.handler --concurrency 0", "--concurrency"),
        ("dev app.handler --queue -1", "--queue"),
        ("dev nope.handler", "nope"),
        ("dev app", "app.handler"),
        ("dev app.handler --", "after --"),
        ("invoke app.handler --event nope.json", "nope.json"),
        ("invoke app.handler --event {", "not JSON"),
        ("invoke app.handler --client-context []", "client context"),
    ],
)
def test_mistakes_are_one_sentence(line: str, names: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(line.split()) == cli.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("polylambda: ")
    assert printed.err.count("\n") == 1
    assert names in printed.err


def test_port_variable_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("LOCAL_LAMBDA_PORT", "abc")
    assert cli.main(["dev", "app.handler"]) == cli.USAGE
    assert "LOCAL_LAMBDA_PORT is 'abc'" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"polylambda {polylambda.__version__}\n"


@pytest.mark.parametrize("line", ["", "--help", "dev --help", "invoke -h"])
def test_help_teaches_by_example(line: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(line.split()) == 0
    printed = capsys.readouterr().out
    assert "Examples:" in printed
    assert "app.handler" in printed
    if line.startswith("invoke"):
        assert "Exit status:" in printed


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "invoke_once", interrupted)
    assert cli.main(["invoke", "app.handler"]) == cli.INTERRUPTED
