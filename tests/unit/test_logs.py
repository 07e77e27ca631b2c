"""`setup`: levels, formats, one handler, and giving everything back."""

from __future__ import annotations

import contextvars
import itertools
import json
import logging
import re
import sys

import pytest

from polylambda import logs
from polylambda.context import CURRENT
from polylambda.errors import ConfigurationError
from polylambda.report import ErrorReport
from polylambda.settings import Settings
from polylambda.sinks import LineSink

pytestmark = pytest.mark.usefixtures("root")


class Context:
    def __init__(self, aws_request_id: str = "req-1", tenant_id: str | None = None) -> None:
        self.aws_request_id = aws_request_id
        self.tenant_id = tenant_id


@pytest.fixture
def root():
    """The root logger; as a fresh process has it once `setup` was called."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield logger
    logs.teardown()
    logger.handlers[:] = [handler for handler in logger.handlers if is_pytests(handler)]
    logger.setLevel(level)


def is_pytests(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("_pytest")


def setup(default_level: int | None = None, **environ: str):
    handlers = logging.getLogger().handlers
    handlers[:] = [handler for handler in handlers if not is_pytests(handler)]  # pytest adds them to every test
    return logs.setup(Settings(environ), default_level=default_level)


def in_invocation(context, function):
    def call():
        CURRENT.set(context)
        return function()

    return contextvars.copy_context().run(call)


# The levels of E41

NAMES = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "NOTICE": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
SPELLINGS = [spell(name) for name in NAMES for spell in (str.upper, str.lower, str.title, str.swapcase)]


@pytest.mark.parametrize("variable", ["AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_nine_names_in_any_case(root, capfd, variable, name):
    setup(**{variable: name})
    assert root.level == NAMES[name.upper()]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("aws", "own", "default"),
    list(itertools.product([None, "", "DEBUG", "LOUD"], [None, "", "ERROR", "QUIET"], [None, logging.INFO])),
)
def test_aws_level_over_own_level_over_the_default(root, capfd, aws, own, default):
    environ = {"AWS_LAMBDA_LOG_LEVEL": aws, "LOG_LEVEL": own}
    setup(default, **{name: value for name, value in environ.items() if value is not None})
    if aws == "DEBUG":
        expected = logging.DEBUG
    elif own == "ERROR":
        expected = logging.ERROR
    else:
        expected = default or logging.WARNING
    assert root.level == expected
    unknown = [name for name in (aws, own) if name in ("LOUD", "QUIET") and not (name == "QUIET" and aws == "DEBUG")]
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == bool(unknown)
    for line in lines:
        assert "[WARNING]" in line
        assert all(f"={name!r}" in line for name in unknown)
        assert "use one of TRACE, DEBUG, INFO" in line


def test_a_level_that_hides_warnings_does_not_hide_the_one_about_levels(capfd):
    setup(AWS_LAMBDA_LOG_LEVEL="LOUD", LOG_LEVEL="CRITICAL")
    assert "AWS_LAMBDA_LOG_LEVEL='LOUD'" in capfd.readouterr().out


def test_a_level_set_before_or_after_wins(root):
    root.setLevel(logging.ERROR)
    setup(AWS_LAMBDA_LOG_LEVEL="DEBUG")
    assert root.level == logging.ERROR
    root.setLevel(logging.INFO)
    assert root.level == logging.INFO


# The formats of E42 and E43


@pytest.mark.parametrize(
    ("value", "as_json"),
    [
        ("JSON", True),
        ("json", True),
        ("Json", True),
        (" JSON ", True),
        ("Text", False),
        ("INVALID", False),
        ("", False),
    ],
)
def test_the_format_is_json_or_text(capfd, value, as_json):
    setup(AWS_LAMBDA_LOG_FORMAT=value)
    logging.getLogger("app").warning("hello")
    line = capfd.readouterr().out
    if as_json:
        assert json.loads(line)["message"] == "hello"
    else:
        assert re.fullmatch(r"\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t\thello\n", line)


def test_the_format_is_text_when_unset(capfd):
    setup()
    logging.getLogger("app").warning("hello")
    assert capfd.readouterr().out.startswith("[WARNING]\t")


# Records


def test_records_carry_the_invocation_that_logs_them(capfd):
    setup(AWS_LAMBDA_LOG_FORMAT="JSON")
    log = logging.getLogger("app")
    in_invocation(Context("one", "blue"), lambda: log.warning("1"))
    in_invocation(Context("two"), lambda: log.warning("2"))
    log.warning("3")
    one, two, three = map(json.loads, capfd.readouterr().out.splitlines())
    assert (one["requestId"], one["tenantId"]) == ("one", "blue")
    assert (two["requestId"], "tenantId" in two) == ("two", False)
    assert three["requestId"] == ""


def test_a_formatter_of_the_users_gets_the_ids(root, capfd):
    setup()
    root.handlers[0].setFormatter(logging.Formatter("%(aws_request_id)s/%(tenant_id)s %(message)s"))
    in_invocation(Context("one", "blue"), lambda: logging.warning("hello"))  # noqa: LOG015
    assert capfd.readouterr().out == "one/blue hello\n"


def test_handlers_that_the_user_installed_before_are_left_alone_and_get_the_ids(root, capfd):
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(logging.Formatter("own %(aws_request_id)s %(message)s"))
    root.addHandler(own)
    setup(AWS_LAMBDA_LOG_FORMAT="JSON")
    assert root.handlers == [own]
    in_invocation(Context("one"), lambda: logging.getLogger("app").warning("hello"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "own one hello\n")


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_a_record_that_cannot_be_formatted_is_written_all_the_same(capfd, log_format):
    setup(AWS_LAMBDA_LOG_FORMAT=log_format)
    log = logging.getLogger("app")
    log.warning("%d of them", "three")
    log.warning(Hostile())
    log.warning("two %s", Hostile())
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "%d of them ('three',)" in lines[0]
    assert "<Hostile whose text raised RuntimeError>" in lines[1]
    assert "two %s" in lines[2]


def test_a_formatter_of_the_users_that_raises_does_not_reach_the_handler(root, capfd, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    setup()
    root.handlers[0].setFormatter(logging.Formatter("%(no_such_field)s"))
    logging.getLogger("app").warning("hello")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_an_exception_without_a_newline_at_its_end_does_not_swallow_the_next_line(capfd, log_format):
    setup(AWS_LAMBDA_LOG_FORMAT=log_format)
    try:
        int("bad")
    except ValueError:
        logging.getLogger("app").exception("failed")
    logging.getLogger("app").warning("next")
    last = capfd.readouterr().out.splitlines()[-1]
    assert "next" in last
    assert "ValueError" not in last


# Uncaught exceptions and plain writes

REPORT = ErrorReport("ValueError", "bad", "req-1", ['  File "app.py", line 3, in handler\n    x()\n'])


def test_an_uncaught_exception_as_text(capfd):
    setup()
    logs.log_error(REPORT)
    assert capfd.readouterr().out == (
        "[ERROR] ValueError: bad\rTraceback (most recent call last):\r"
        '\u00a0\u00a0File "app.py", line 3, in handler\r\u00a0\u00a0\u00a0\u00a0x()\n'
    )


def test_an_uncaught_exception_says_whose_it_is_where_invocations_overlap(capfd):
    logs.setup(Settings({}), tag=True)
    logs.log_error(REPORT)
    logs.log_error(ErrorReport("ValueError", "bad", "", []))
    first, second, _ = capfd.readouterr().out.split("\n")
    assert first.startswith(f"{REPORT.request_id}\t[ERROR] ValueError: bad\r")
    assert second.startswith("[ERROR] ValueError: bad\r")


def test_an_uncaught_exception_as_json(capfd):
    setup(AWS_LAMBDA_LOG_FORMAT="JSON")
    logs.log_error(REPORT)
    out = capfd.readouterr().out
    assert out.endswith("}\n")
    assert json.loads(out).items() >= REPORT.fields().items()


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_what_the_context_logs_is_written_as_it_is(capfd, log_format):
    setup(AWS_LAMBDA_LOG_FORMAT=log_format)
    logs.write("as it is")
    assert capfd.readouterr().out == "as it is\n"


def test_errors_can_be_logged_before_setup(capfd):
    logs.log_error(REPORT)
    logs.write("early")
    assert capfd.readouterr().out.startswith("[ERROR] ValueError: bad\r")


# Printing


def test_print_becomes_a_record_in_json(capfd):
    setup(AWS_LAMBDA_LOG_FORMAT="JSON")
    in_invocation(Context("one"), lambda: print("hello"))
    in_invocation(Context("two"), lambda: print("oh", file=sys.stderr))
    captured = capfd.readouterr()
    first, second = map(json.loads, captured.out.splitlines())
    assert (first["level"], first["message"], first["requestId"]) == ("INFO", "hello", "one")
    assert (second["level"], second["message"], second["requestId"]) == ("WARNING", "oh", "two")
    assert captured.err == ""


@pytest.mark.parametrize("environ", [{}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "POLYLAMBDA_CAPTURE_PRINT": "0"}])
def test_print_stays_as_it_is_in_text_and_when_turned_off(capfd, environ):
    setup(**environ)
    print("hello")
    print("oh", file=sys.stderr)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("hello\n", "oh\n")


def test_the_end_of_an_invocation_writes_its_last_partial_line(capfd):
    setup(AWS_LAMBDA_LOG_FORMAT="JSON")
    context = Context("one")
    in_invocation(context, lambda: print("half", end=""))
    assert capfd.readouterr().out == ""
    logs.end_invocation(context)
    assert json.loads(capfd.readouterr().out)["message"] == "half"


def test_a_stream_that_is_no_file_is_left_alone_in_text(capsys):
    before = sys.stdout
    setup()
    assert sys.stdout is before


# Giving back


def test_setup_twice_leaves_one_handler_and_one_level_of_capture(root, capfd):
    setup(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    setup(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="DEBUG")
    assert len(root.handlers) == 1
    assert root.level == logging.DEBUG
    print("hello")
    assert json.loads(capfd.readouterr().out)["message"] == "hello"


def test_teardown_gives_everything_back(root, capfd):
    streams = sys.stdout, sys.stderr
    setup(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    print("unfinished", end="")
    logs.teardown()
    assert (sys.stdout, sys.stderr) == streams
    assert root.handlers == []
    assert root.level == logging.WARNING
    assert json.loads(capfd.readouterr().out)["message"] == "unfinished"
    own = logging.NullHandler()
    root.addHandler(own)
    setup()
    logs.teardown()
    assert own.filters == []


def test_teardown_leaves_a_level_that_somebody_set_since(root):
    setup(AWS_LAMBDA_LOG_LEVEL="INFO")
    root.setLevel(logging.ERROR)
    logs.teardown()
    assert root.level == logging.ERROR


def test_teardown_leaves_a_stream_that_somebody_replaced(monkeypatch):
    setup()
    other = object()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", other)
        logs.teardown()
        assert sys.stdout is other


def test_a_wrong_descriptor_stops_the_start_and_changes_nothing(root):
    before = sys.stdout
    with pytest.raises(ConfigurationError, match="_LAMBDA_TELEMETRY_LOG_FD='abc'"):
        setup(_LAMBDA_TELEMETRY_LOG_FD="abc")
    assert (sys.stdout, root.handlers) == (before, [])


def test_setup_returns_the_sink():
    assert isinstance(setup(), LineSink)
