"""Lambda's log formats. Whether they are AWS's to the byte is a conformance test's business."""

from __future__ import annotations

import json
import logging
import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda import formats
from polylambda.report import ErrorReport

TEXT = formats.TextFormatter()
JSON = formats.JsonFormatter()


def record(msg: object = "hello", *args: object, level: int = logging.INFO, exc_info=None, **extra: object):
    made = logging.LogRecord("app", level, "/var/task/app.py", 12, msg, args, exc_info, "f")
    made.created, made.msecs = 1767321845.678, 678.0
    made.aws_request_id, made.tenant_id = "req-1", None
    made.__dict__.update(extra)
    return made


def fail(error: BaseException) -> None:
    raise error


def exc_info_of(error: BaseException):
    try:
        fail(error)
    except BaseException:
        return sys.exc_info()


class Context:
    def __init__(self, aws_request_id: str = "req-1", tenant_id: str | None = None) -> None:
        self.aws_request_id = aws_request_id
        self.tenant_id = tenant_id


def test_text():
    assert TEXT.format(record("hello %s", "w")) == "[INFO]\t2026-01-02T02:44:05.678Z\treq-1\thello w\n"


def test_json():
    line = JSON.format(record("hello %s", "w", k=1))
    assert line == (
        '{"timestamp": "2026-01-02T02:44:05Z", "level": "INFO", "message": "hello w", "logger": "app", '
        '"requestId": "req-1", "k": 1}\n'
    )


def test_the_tenant_is_there_when_it_is_known():
    assert json.loads(JSON.format(record(tenant_id="blue")))["tenantId"] == "blue"
    assert "tenantId" not in json.loads(JSON.format(record()))


def test_a_dict_stays_an_object_unless_it_has_arguments():
    assert json.loads(JSON.format(record({"a": [1]})))["message"] == {"a": [1]}
    assert json.loads(JSON.format(record("%(a)s", {"a": 1})))["message"] == "1"


def test_an_exception_has_its_fields():
    fields = json.loads(JSON.format(record("bad", exc_info=exc_info_of(ZeroDivisionError("division by zero")))))
    assert fields["errorType"] == "ZeroDivisionError"
    assert fields["errorMessage"] == "division by zero"
    assert fields["location"] == "/var/task/app.py:f:12"
    assert "in fail" in fields["stackTrace"][-1]
    assert JSON.format(record("bad", exc_info=(None, None, None))) == JSON.format(record("bad"))


def test_an_exception_that_passed_through_us_begins_with_the_users_frame():
    ours = os.path.join(os.path.dirname(formats.__file__), "made_up.py")
    names: dict = {}
    exec(compile("def waist(call):\n    call()\n", ours, "exec"), names)

    def handler():
        raise ValueError("bad")

    try:
        names["waist"](handler)
    except ValueError:
        kind, error, trace = sys.exc_info()
    info = (kind, error, trace.tb_next)  # from our frame on
    trace = json.loads(JSON.format(record("bad", exc_info=info)))["stackTrace"]
    assert len(trace) == 1
    assert "in handler" in trace[0]
    assert "made_up" not in TEXT.format(record("bad", exc_info=info))


@pytest.mark.parametrize(
    ("level", "name"), [(10, "DEBUG"), (25, "INFO"), (30, "WARNING"), (99, "CRITICAL"), (-5, "NOTSET")]
)
def test_levels_in_between_are_rounded_down(level, name):
    made = record(level=level)
    assert json.loads(JSON.format(made))["level"] == name
    assert made.levelno == level  # other handlers see what was logged


def test_extras_do_not_replace_fields_and_none_is_left_out():
    fields = json.loads(JSON.format(record(message="other", requestId="other", nothing=None, logger="other")))
    assert fields["message"] == "hello"
    assert fields["requestId"] == "req-1"
    assert fields["logger"] == "app"
    assert "nothing" not in fields


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_json_cannot_hold_becomes_text():
    cycle: dict = {}
    cycle["self"] = cycle
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    values = {
        "bytes": b"\xff",
        "nan": float("nan"),
        "nested": [{"inf": float("inf"), ("tuple", "key"): 1}],
        "cycle": cycle,
        "hostile": [Hostile()],
        "deep": deep,
        "long": 10**5000,
    }
    fields = json.loads(JSON.format(record(**values)), parse_constant=pytest.fail)
    assert fields["bytes"] == "b'\\xff'"
    assert fields["nan"] == "nan"
    assert fields["nested"] == [{"inf": "inf", "('tuple', 'key')": 1}]
    assert fields["cycle"] == {"self": "..."}
    assert fields["hostile"] == ["<Hostile whose text raised RuntimeError>"]
    assert fields["long"] == "<int whose text raised ValueError>"


any_text = st.text(st.characters(exclude_categories=()))
any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary() | st.builds(Hostile),
    lambda inner: (
        st.lists(inner) | st.dictionaries(any_text | st.integers() | st.tuples(st.integers()), inner) | st.tuples(inner)
    ),
    max_leaves=10,
)


@given(any_value, st.dictionaries(any_text, any_value))
def test_any_message_with_any_extras_is_one_line_of_json(message, extras):
    made = record(message)
    standard = set(vars(made))
    made.__dict__.update({name: value for name, value in extras.items() if name not in standard})
    try:
        line = JSON.format(made)
    except RuntimeError:  # the message itself has no text: the handler's concern
        assert isinstance(message, Hostile)
        return
    data = line.encode("utf-8", "backslashreplace")
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    fields = json.loads(data, parse_constant=pytest.fail)
    assert fields["requestId"] == "req-1"
    if isinstance(message, str):
        assert fields["message"] == message


# Uncaught exceptions

REPORT = ErrorReport("ValueError", "bad", "req-1", ['  File "app.py", line 3, in handler\n    x()\n'])


def test_an_uncaught_exception_as_text():
    assert formats.error_lines(REPORT) == [
        "[ERROR] ValueError: bad",
        "Traceback (most recent call last):",
        '\u00a0\u00a0File "app.py", line 3, in handler',
        "\u00a0\u00a0\u00a0\u00a0x()",
    ]


def test_an_uncaught_exception_without_a_message_or_a_trace():
    assert formats.error_lines(ErrorReport("KeyError", "", "", [])) == [
        "[ERROR] KeyError",
        "Traceback (most recent call last):",
    ]


def test_an_uncaught_exception_with_lines_in_its_message_stays_together():
    lines = formats.error_lines(ErrorReport("ValueError", "one\ntwo", "", []))
    assert lines[:2] == ["[ERROR] ValueError: one", "two"]


def test_an_uncaught_exception_as_json():
    text = formats.error_json(REPORT)
    fields = json.loads(text)
    assert list(fields) == ["timestamp", "level", "errorMessage", "errorType", "requestId", "stackTrace"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields.pop("timestamp"))
    assert fields.pop("level") == "ERROR"
    assert fields == REPORT.fields()
    assert "\n" not in text


# Printed lines


def test_a_printed_line_is_a_record_with_its_invocation():
    line, level = formats.print_json("hello", logging.INFO, Context(tenant_id="blue"))
    fields = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields.pop("timestamp"))
    assert fields == {"level": "INFO", "message": "hello", "requestId": "req-1", "tenantId": "blue"}
    assert (line[-1], level) == ("\n", logging.INFO)


def test_a_line_printed_outside_an_invocation_has_an_empty_id():
    line, _ = formats.print_json("hello", logging.WARNING, None)
    assert json.loads(line)["requestId"] == ""
    assert json.loads(line)["level"] == "WARNING"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level":"ERROR","message":"x"}', logging.ERROR),
        ('{"level":"error"}', logging.ERROR),
        ('{"timestamp":"2026-01-02T03:04:05Z"}', logging.INFO),
        ('{"level":["odd"]}', logging.INFO),
        ('{"_aws":{"CloudWatchMetrics":[]},"n":1}', logging.INFO),
    ],
)
def test_what_already_is_a_record_is_not_wrapped_again(text, level):
    assert formats.print_json(text, logging.INFO, Context()) == (text + "\n", level)


@pytest.mark.parametrize(
    "text", ['{"a":1}', "{not json}", "{}", "[1]", '{"level":"INFO"} and more', "{" * 100_000 + "}"]
)
def test_other_text_is_wrapped(text):
    line, _ = formats.print_json(text, logging.INFO, Context())
    assert json.loads(line)["message"] == text
