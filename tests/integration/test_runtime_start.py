"""The start of a runtime: what the platform is told when it fails, and what is announced before the first poll."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environment import Environment, Program, eventually

HANDLER = "def handler(event, context): return event\n"


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment


def init_error(environment: Environment) -> tuple[str, dict[str, Any]]:
    """Error type and payload that the platform was told."""
    assert environment.api.init_error is not None
    error_type, payload = environment.api.init_error
    return error_type, json.loads(payload)


def fails(environment: Environment, folder: Path, source: str, *arguments: str, **variables: str) -> Program:
    """Run a program that cannot start, to its end."""
    with environment.program(folder, source, *arguments, **variables) as program:
        assert program.wait() == 1
    return program


# Init errors: E37; those of handlers that cannot be loaded are in `tests.conformance.test_start_like_awslambdaric`


def test_whatever_a_module_raises_is_an_init_error(environment, tmp_path):
    program = fails(environment, tmp_path, "def connect():\n    raise KeyError('table')\nconnect()\n")
    error_type, payload = init_error(environment)
    assert (error_type, payload["errorType"], payload["errorMessage"]) == ("Function.KeyError", "KeyError", "'table'")
    assert any('app.py", line 2, in connect' in line for line in payload["stackTrace"])
    assert program.lines[0].startswith("[ERROR] KeyError: 'table'")
    assert program.stderr == ""


def test_a_module_that_exits_has_its_way(environment, tmp_path):
    with environment.program(tmp_path, "import sys\nsys.exit(3)\n") as program:
        assert program.wait() == 3
    assert environment.api.init_error is None


def test_who_waits_is_told_why_the_function_could_not_start(environment, tmp_path):
    waiting = environment.begin()
    fails(environment, tmp_path, "raise KeyError('table')\n")
    answer = waiting.result()
    assert (answer.outcome, answer.json["errorType"]) == ("failure", "KeyError")


PROGRAM = """
import contextlib
from polylambda import LambdaRuntime, ResponseWriter

def handler(event, context):
    return event

{}

LambdaRuntime(handler{}).run()
"""


@pytest.mark.parametrize(
    ("more", "arguments", "error_type", "message"),
    [
        (
            "handler = 42",
            "",
            "ConfigurationError",
            "a handler is a function, or an object with a handle() method, not int",
        ),
        ("def handler(event: type(print)): ...", "", "ConfigurationError", "its parameter 'event': cannot decode"),
        (
            "async def layer(*args): ...",
            ", middleware=[layer]",
            "ConfigurationError",
            "layer is async def, but handler",
        ),
        ("def lifespan(): raise KeyError('table')", ", lifespan=lifespan", "KeyError", "'table'"),
        (
            "def lifespan(): yield",
            ", lifespan=lifespan",
            "ConfigurationError",
            "made a generator, not a context manager",
        ),
        (
            "async def handler(event): ...\n@contextlib.asynccontextmanager\nasync def lifespan():\n  1 / 0\n  yield",
            ", lifespan=lifespan",
            "ZeroDivisionError",
            "division by zero",
        ),
        (
            "@contextlib.asynccontextmanager\nasync def lifespan():\n  1 / 0\n  yield",
            ", lifespan=lifespan",
            "ZeroDivisionError",
            "division by zero",
        ),
    ],
)
def test_whatever_fails_before_the_first_poll_is_an_init_error(
    environment, tmp_path, more, arguments, error_type, message
):
    fails(environment, tmp_path, PROGRAM.format(more, arguments), "app.py")
    told_type, payload = init_error(environment)
    assert told_type == f"Function.{error_type}"
    assert payload["errorType"] == error_type
    assert message in payload["errorMessage"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"POLYLAMBDA_LOOP": "trio"}, "POLYLAMBDA_LOOP is 'trio': it must be asyncio, uvloop or auto"),
        ({"_LAMBDA_TELEMETRY_LOG_FD": "x"}, "_LAMBDA_TELEMETRY_LOG_FD='x' must be an open descriptor's number"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_init_error(environment, tmp_path, variables, message):
    fails(environment, tmp_path, HANDLER, **variables)
    assert init_error(environment)[1]["errorMessage"] == message


def test_an_init_error_comes_before_the_end_of_a_program_in_json_too(environment, tmp_path):
    program = fails(environment, tmp_path, "raise KeyError('table')\n", AWS_LAMBDA_LOG_FORMAT="JSON")
    records = [json.loads(line) for line in program.lines]
    assert [(record["level"], record["errorType"]) for record in records] == [("ERROR", "KeyError")]


# Addresses


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
@pytest.mark.parametrize("source", [HANDLER, "async " + HANDLER])
def test_when_nothing_listens_one_line_says_so(tmp_path, log_format, source):
    """E32."""
    port = free_port()
    variables = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "AWS_LAMBDA_LOG_FORMAT": log_format}
    with Program(tmp_path, source, **variables) as program:
        assert program.wait() == 1
    assert program.stderr == ""
    (line,) = program.lines
    message = json.loads(line)["message"] if log_format == "JSON" else line.rpartition("\t")[2]
    assert message.startswith(f"no Runtime API at 127.0.0.1:{port} (AWS_LAMBDA_RUNTIME_API): Connect")


@pytest.mark.parametrize("value", ["host", "host:abc", ":9001", "host:", "host:0", "host:70000", "[::1", "a b:1:2"])
def test_an_address_that_is_none_is_one_sentence(tmp_path, value):
    """E36."""
    with Program(tmp_path, HANDLER, AWS_LAMBDA_RUNTIME_API=value) as program:
        assert program.wait() == 1
    assert program.lines == []
    assert program.stderr.count("\n") == 1
    assert program.stderr.startswith(f"polylambda: AWS_LAMBDA_RUNTIME_API is {value!r}: it must be host:port")


def test_a_name_may_be_the_address(environment, tmp_path):
    """E36."""
    port = environment.api.address.rpartition(":")[2]
    with environment.program(tmp_path, HANDLER, AWS_LAMBDA_RUNTIME_API=f"localhost:{port}"):
        assert environment.invoke(b"1").body == b"1"


@pytest.mark.parametrize("arguments", [[], ["--nonsense"], ["app.handler", "more"]])
def test_without_one_handler_there_is_a_usage(tmp_path, arguments):
    with Program(tmp_path, HANDLER, "-m", "polylambda", *arguments, AWS_LAMBDA_RUNTIME_API="127.0.0.1:9") as program:
        assert program.wait() == 1
    assert program.stderr.startswith("polylambda: name one handler, such as app.handler\nusage: python -m polylambda")


def test_help_is_help(tmp_path):
    with Program(tmp_path, HANDLER, "-m", "polylambda", "--help") as program:
        assert program.wait() == 0
    assert program.lines[0].startswith("usage: python -m polylambda MODULE.HANDLER")


# Names of handlers


def test_the_handlers_name_comes_from_the_environment_too(tmp_path):
    with (
        Environment(handler="app.handler") as environment,
        environment.program(tmp_path, HANDLER, "-m", "polylambda"),
    ):
        assert environment.invoke(b"1").body == b"1"


def test_modules_are_found_in_the_task_root(tmp_path):
    root = tmp_path / "task"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "deep.py").write_text("import sibling\n" + HANDLER)
    (root / "sibling.py").write_text("")
    with (
        Environment(task_root=str(root)) as environment,
        environment.program(tmp_path, HANDLER, "-m", "polylambda", "folder/deep.handler"),
    ):
        assert environment.invoke(b"1").body == b"1"


def test_a_name_may_be_that_of_a_runtime(environment, tmp_path):
    """Which runs with its lifespan and its middleware, and not the one that it would start as a program."""
    source = """
import contextlib
from polylambda import LambdaRuntime

def layer(payload, response, context, call_next):
    call_next(b'"changed"', response, context)

runtime = LambdaRuntime(
    lambda event, context: [event, context.state], lifespan=contextlib.nullcontext("state"), middleware=[layer]
)
if __name__ == "__main__":
    raise SystemExit("it was run as a program")
"""
    with environment.program(tmp_path, source, "-m", "polylambda", "app.runtime"):
        assert environment.invoke().json == ["changed", "state"]


# How many polls (E38)


@pytest.mark.parametrize("value", [None, "1", "0", "-3", "abc", "8"])
def test_whatever_the_maximum_a_lambda_runtime_polls_once(environment, tmp_path, value):
    """E38: several slots are the managed runtime's."""
    variables = {} if value is None else {"AWS_LAMBDA_MAX_CONCURRENCY": value}
    source = PROGRAM.format("import threading\ndef handler(event, context): return threading.active_count()", "")
    with environment.program(tmp_path, source, "app.py", **variables):
        assert environment.invoke().body == b"1"
        assert environment.connections == 1


# The internal extension (facts 2.9)

NOTHING = """
@contextlib.contextmanager
def lifespan():
    yield
"""


@pytest.mark.parametrize("handler", ["", "async def handler(event, context): return event"])
def test_with_a_lifespan_an_extension_is_registered_before_the_first_poll(environment, tmp_path, handler):
    with environment.program(tmp_path, PROGRAM.format(handler + NOTHING, ", lifespan=lifespan"), "app.py"):
        assert environment.wait_until_ready()
        eventually(lambda: environment.extensions == {"polylambda": True})
        assert environment.invoke(b"1").body == b"1"


def test_with_a_handler_for_sigterm_an_extension_is_registered(environment, tmp_path):
    source = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n" + HANDLER
    with environment.program(tmp_path, source):
        assert environment.wait_until_ready()
        assert environment.extensions.keys() == {"polylambda"}


def test_with_nothing_to_do_at_the_end_no_extension_is_registered(environment, tmp_path):
    with environment.program(tmp_path, HANDLER):
        assert environment.wait_until_ready()
        assert environment.extensions == {}


def test_the_extension_can_be_switched_off(environment, tmp_path):
    source = PROGRAM.format(NOTHING, ", lifespan=lifespan")
    with environment.program(tmp_path, source, "app.py", POLYLAMBDA_REGISTER_EXTENSION="0"):
        assert environment.wait_until_ready()
        assert environment.extensions == {}


def test_an_extension_that_is_refused_does_no_harm(environment, tmp_path):
    environment.api._extensions.close_registration()
    with environment.program(tmp_path, PROGRAM.format(NOTHING, ", lifespan=lifespan"), "app.py") as program:
        assert environment.invoke(b"1").body == b"1"
        program.send(signal.SIGTERM)
        assert program.wait() == 0
    assert (program.lines, program.stderr) == ([], "")


# SnapStart

HOOKS = """
import snapshot_restore_py as hooks

def tell(what):
    print(what, flush=True)
    if what == {fail!r}:
        raise KeyError(what)

for number in (1, 2):
    hooks.register_before_snapshot(tell, f"before {{number}}")
    hooks.register_after_restore(tell, f"after {{number}}")

def handler(event, context):
    return event
"""


@pytest.fixture
def snapstart() -> Iterator[Environment]:
    with Environment(initialization_type="snap-start") as environment:
        yield environment


def test_hooks_run_before_the_snapshot_and_after_the_restore(snapstart, tmp_path):
    with snapstart.program(tmp_path, HOOKS.format(fail="")) as program:
        assert snapstart.invoke(b"1").body == b"1"
        program.send(signal.SIGTERM)
        assert program.wait() == 0
    assert program.lines == ["before 2", "before 1", "after 1", "after 2"]


def test_without_hooks_there_is_nothing_to_run(snapstart, tmp_path):
    with snapstart.program(tmp_path, HANDLER):
        assert snapstart.invoke(b"1").body == b"1"


def test_a_platform_that_refuses_to_restore_ends_the_environment(tmp_path):
    """Such as one that knows nothing of SnapStart."""
    with (
        Environment() as environment,
        environment.program(tmp_path, HANDLER, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") as program,
    ):
        assert program.wait() == 64
        error_type, payload = init_error(environment)
    assert error_type == payload["errorType"] == "Runtime.BeforeSnapshotError"
    assert payload["errorMessage"].startswith("the platform refused to restore: 404")


# The local server


def test_outside_lambda_the_local_server_is_started(tmp_path):
    """With the settings that were given, and without a runtime of its own in this process."""
    source = """
import polylambda.local
polylambda.local.serve_program = lambda settings: print("served", settings.local_port)
from polylambda import LambdaRuntime
LambdaRuntime(lambda event: event).run()
"""
    with Program(tmp_path, source, "app.py", LOCAL_LAMBDA_PORT="7001") as program:
        assert program.wait() == 0
    assert program.lines == ["served 7001"]
