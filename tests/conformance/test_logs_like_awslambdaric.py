"""Our log lines, error payloads and X-Ray causes against those of AWS's runtime, byte for byte.

The same records are logged, and the same exceptions reported, by both in processes of the same interpreter.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading

import pytest

import polylambda

SAMPLE = """
import logging

logging.addLevelName(25, "NEARLY")
log = logging.getLogger("app")
CREATED = 1767321845.678


def emit(number, msg, *args, exc_info=None, **extra):
    record = log.makeRecord("app", number, "/var/task/app.py", 12, msg, args, exc_info, "f", extra)
    record.created, record.msecs = CREATED, 678.0
    log.handle(record)


def emit_all():
    for level in (0, 5, 10, 20, 25, 30, 40, 50, 60):
        emit(level, "level %d", level)
    emit(30, "tab\\tquote\\" back\\\\slash nul\\0 é 🐍")
    emit(30, "two\\nlines")
    emit(30, "")
    emit(30, {"a": {"b": [1, None, True, 1.5]}, "é": "🐍"})
    emit(30, "%(a)s", {"a": 1})
    emit(30, ["not", "a", "string"])
    emit(30, "extras", k=1, none=None, text="é", nested={"a": [1]}, odd={1, }, raw=b"x", logger="other", level="other")
    try:
        fail(2)
    except ZeroDivisionError as error:
        emit(40, "failed", exc_info=(type(error), error, error.__traceback__))


def fail(depth):
    if depth:
        fail(depth - 1)
    1 / 0


def handler(event, context):
    if event["kind"] == "deep":
        fail(100)
    if event["kind"] == "empty":
        raise KeyError()
    raise ValueError(event["text"])
"""

THEIRS = """
import os, sys
from awslambdaric import bootstrap
import sample

bootstrap._GLOBAL_AWS_REQUEST_ID = "req-1"
bootstrap._GLOBAL_TENANT_ID = os.environ.get("TENANT")
sys.stdout = bootstrap.Unbuffered(sys.stdout)
with bootstrap.create_log_sink() as sink:
    bootstrap._setup_logging(bootstrap._AWS_LAMBDA_LOG_FORMAT, bootstrap._AWS_LAMBDA_LOG_LEVEL, sink)
    sample.emit_all()
    bootstrap.log_error(bootstrap.make_error("bad é", "ValueError", ['  File "a.py", line 3, in f\\n    x()\\n'], "req-1"), sink)
    bootstrap.log_error(bootstrap.make_error("no handler", "Runtime.HandlerNotFound", None), sink)
"""

OURS = """
import os
from polylambda import logs
from polylambda.context import CURRENT
from polylambda.report import ErrorReport
from polylambda.settings import Settings
import sample

class Context:
    aws_request_id = "req-1"
    tenant_id = os.environ.get("TENANT")

logs.setup(Settings())
CURRENT.set(Context())
sample.emit_all()
logs.log_error(ErrorReport("ValueError", "bad é", "req-1", ['  File "a.py", line 3, in f\\n    x()\\n']))
logs.log_error(ErrorReport("Runtime.HandlerNotFound", "no handler", "", []))
"""

THEIR_REPORTS = """
import json
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
import sample

class Client:
    marshaller = LambdaMarshaller()
    def post_invocation_error(self, invoke_id, body, cause, invocation_id=None):
        print(json.dumps([json.loads(body), json.loads(cause)]))

class Sink:
    def log_error(self, lines): pass

for event in EVENTS:
    body = json.dumps(event).encode()
    arguments = ("application/json", None, None, "arn", "1", None)
    bootstrap.handle_event_request(Client(), sample.handler, "req-1", body, *arguments, Sink())
"""

OUR_REPORTS = """
import json
from polylambda.report import report
import sample

for event in EVENTS:
    try:
        sample.handler(event, None)
    except Exception as error:
        error.__traceback__ = error.__traceback__.tb_next
        told = report(error, "req-1")
        print(json.dumps([json.loads(told.body()), json.loads(told.xray_cause())]))
"""

EVENTS = [
    {"kind": "plain", "text": "bad"},
    {"kind": "plain", "text": ""},
    {"kind": "plain", "text": 'new\nline \t \0 " \\ é 🐍'},
    {"kind": "deep"},
    {"kind": "empty"},
]


@pytest.fixture
def run(awslambdaric_python, tmp_path):
    """Run a program beside the sample; return what it wrote to stdout, and to the framed log descriptor if it has one."""
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")
    source = os.path.dirname(os.path.dirname(polylambda.__file__))

    def run(program: str, *, framed: bool = False, **variables: str) -> tuple[bytes, bytes]:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([source, str(tmp_path)]),
            "PYTHONUTF8": "1",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            **variables,
        }
        reader, writer = os.pipe()
        received = bytearray()

        def read() -> None:
            while data := os.read(reader, 1 << 16):
                received.extend(data)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            if framed:
                env["_LAMBDA_TELEMETRY_LOG_FD"] = str(writer)
            command = [awslambdaric_python, "-c", program]
            done = subprocess.run(
                command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, check=True, timeout=50, pass_fds=(writer,)
            )
        finally:
            os.close(writer)
            thread.join()
            os.close(reader)
        return done.stdout, bytes(received)

    return run


def without_time_of_logging(data: bytes) -> bytes:
    """Uncaught exceptions are logged with the time of day."""
    return re.sub(
        rb'\{"timestamp": "[^"]+", "level": "ERROR", "errorMessage"', b'{"level": "ERROR", "errorMessage"', data
    )


def without_time_of_frames(data: bytes) -> list[tuple[bytes, bytes]]:
    """Frames as type and message; their lengths are checked by taking them apart."""
    found = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        assert len(data) >= 16 + length
        found.append((data[:4], without_time_of_logging(data[16 : 16 + length])))
        data = data[16 + length :]
    return found


ENVIRONMENTS = [
    {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    {"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "WARN", "TENANT": "blue"},
    {"AWS_LAMBDA_LOG_FORMAT": "JSON"},
    {"AWS_LAMBDA_LOG_FORMAT": "Text", "AWS_LAMBDA_LOG_LEVEL": "info"},
    {"AWS_LAMBDA_LOG_FORMAT": "INVALID", "AWS_LAMBDA_LOG_LEVEL": "FATAL"},
    {},
]
NAMES = [" ".join(variables.values()) or "nothing set" for variables in ENVIRONMENTS]


@pytest.mark.parametrize("variables", ENVIRONMENTS, ids=NAMES)
def test_lines_on_stdout(run, variables):
    theirs, _ = run(THEIRS, **variables)
    ours, _ = run(OURS, **variables)
    # The one difference: AWS's text handler does not end a traceback with a newline, and glues the next line to it.
    theirs = theirs.replace(b"division by zero[ERROR]", b"division by zero\n[ERROR]")
    assert without_time_of_logging(ours) == without_time_of_logging(theirs)
    assert ours.count(b"req-1") > 3


@pytest.mark.parametrize("variables", ENVIRONMENTS, ids=NAMES)
def test_frames(run, variables):
    stdout, theirs = run(THEIRS, framed=True, **variables)
    assert stdout == b""
    stdout, ours = run(OURS, framed=True, **variables)
    assert stdout == b""
    assert without_time_of_frames(ours) == without_time_of_frames(theirs)
    assert len(without_time_of_frames(ours)) > 3


def test_error_payloads_and_xray_causes(run):
    events = f"EVENTS = {EVENTS!r}\n"
    theirs = [json.loads(line) for line in run(events + THEIR_REPORTS)[0].splitlines()]
    ours = [json.loads(line) for line in run(events + OUR_REPORTS)[0].splitlines()]
    assert len(ours) == len(EVENTS)
    assert [payload for payload, _ in ours] == [payload for payload, _ in theirs]
    for (_, our), (_, their) in zip(ours, theirs, strict=True):
        assert our["working_directory"] == their["working_directory"]
        assert sorted(our["paths"]) == sorted(their["paths"])
        assert our["exceptions"][0]["type"] == their["exceptions"][0]["type"]
        assert our["exceptions"][0]["message"] == their["exceptions"][0]["message"]
        # AWS lists every repeated frame in the cause; ours holds each once.
        frames = [json.dumps(frame, sort_keys=True) for frame in their["exceptions"][0]["stack"]]
        folded = [frame for place, frame in enumerate(frames) if place == 0 or frame != frames[place - 1]]
        assert [json.dumps(frame, sort_keys=True) for frame in our["exceptions"][0]["stack"]] == folded
