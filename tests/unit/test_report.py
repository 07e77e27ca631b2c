"""What the platform is told about an exception: payload, header, X-Ray cause."""

from __future__ import annotations

import importlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polylambda
from polylambda import report as report_module
from polylambda.errors import HANDLER_NOT_FOUND, IMPORT_MODULE_ERROR, InitError, MarshalError, ValidationError
from polylambda.rapi.headers import MAX_ERROR_BODY, MAX_XRAY_CAUSE
from polylambda.report import report

HERE = os.path.abspath(__file__)


def caught(function, *args) -> BaseException:
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def fail(error: BaseException) -> None:
    raise error


def run_as(path: str, source: str, **names: object) -> dict:
    """Run `source` as if it were the file `path`."""
    exec(compile(source, path, "exec"), names)
    return names


def in_package(source: str, **names: object) -> dict:
    return run_as(os.path.join(os.path.dirname(report_module.__file__), "made_up.py"), source, **names)


# The payload (E12, E15)


def test_the_payload_has_the_four_fields_of_aws():
    def handler():
        raise ValueError("bad")

    payload = json.loads(report(caught(handler), "req-1").body())
    assert list(payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert payload["errorMessage"] == "bad"
    assert payload["errorType"] == "ValueError"
    assert payload["requestId"] == "req-1"
    line = handler.__code__.co_firstlineno + 1
    assert payload["stackTrace"][-1] == f'  File "{HERE}", line {line}, in handler\n    raise ValueError("bad")\n'


def test_two_error_types_give_two_names():
    class OutOfStock(Exception):
        pass

    assert report(OutOfStock()).error_type == "OutOfStock"
    assert report(KeyError("k")).error_type == "KeyError"


def test_an_error_before_the_first_event_has_no_request():
    assert json.loads(report(ValueError("bad")).body())["requestId"] == ""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("bare")])
def test_exceptions_that_are_no_errors_can_be_reported(error):
    assert report(caught(fail, error)).error_type == type(error).__name__


@pytest.mark.parametrize(
    "message", ["new\nline", "\ttab", "\0", '"quoted"', "back\\slash", "🐍", "é", "\ud800", "\r\x1b"]
)
def test_awkward_messages_round_trip(message):
    body = report(ValueError(message)).body()
    body.decode()
    assert json.loads(body)["errorMessage"] == message


@given(st.text(st.characters(exclude_categories=())), st.text())
def test_every_message_is_valid_json_and_a_one_line_header(message, request_id):
    described = report(caught(fail, ValueError(message)), request_id)
    assert json.loads(described.body())["errorMessage"] == message
    cause = described.xray_cause()
    assert cause.isascii()
    assert cause.isprintable()
    assert json.loads(cause)["exceptions"][0]["message"] == message


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_text_is_reported():
    assert report(Mute()).message == "<Mute whose text raised RuntimeError>"


# The header


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (ValueError("bad"), "Function.ValueError"),
        (InitError(HANDLER_NOT_FOUND, "no"), "Runtime.HandlerNotFound"),
        (MarshalError("no"), "Runtime.MarshalError"),
        (ValidationError("event", "no"), "Function.ValidationError"),
        (type("Fehlschläge", (Exception,), {})(), "Function.Unknown"),
        (type("A\r\nX-Evil: 1", (Exception,), {})(), "Function.Unknown"),
        (type("A.\r\nB", (Exception,), {})(), "Function.Unknown"),
    ],
)
def test_the_header_has_a_category_and_nothing_that_a_header_cannot_hold(error, header):
    assert report(error).function_error_type == header


def test_a_fault_is_told_by_its_aws_name_and_its_own_trace():
    described = report(InitError(HANDLER_NOT_FOUND, "Handler 'g' missing on module 'app'", ["as given\n"]))
    assert described.error_type == "Runtime.HandlerNotFound"
    assert described.message == "Handler 'g' missing on module 'app'"
    assert described.stack_trace == ["as given\n"]


# Whose frames


def test_our_frames_are_left_out_wherever_they_are():
    names = in_package("def waist(call):\n    call()\n")
    source = "def handler(waist):\n    waist(inner)\ndef inner():\n    raise ValueError('bad')\n"
    user = run_as("/var/task/app.py", source)
    trace = report(caught(names["waist"], lambda: user["handler"](names["waist"]))).stack_trace
    assert "made_up" not in "".join(trace)
    assert [entry.splitlines()[0] for entry in trace[-2:]] == [
        '  File "/var/task/app.py", line 2, in handler',
        '  File "/var/task/app.py", line 4, in inner',
    ]


def test_the_package_is_known_by_its_directory():
    assert os.path.dirname(polylambda.__file__) + os.sep == report_module._OURS


def test_an_import_that_fails_shows_the_module_and_not_the_import_system(tmp_path, monkeypatch):
    (tmp_path / "handler_that_imports.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = in_package("def load(name):\n    importlib.import_module(name)\n", importlib=importlib)
    error = caught(names["load"], "handler_that_imports")
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own frame
    described = report(error)
    assert described.stack_trace == [
        f'  File "{tmp_path}/handler_that_imports.py", line 1, in <module>\n    import no_such_module_anywhere\n'
    ]


def test_frames_of_the_import_system_are_left_out_when_it_raises():
    trace = report(caught(importlib.import_module, "")).stack_trace
    assert "<frozen" not in "".join(trace)
    assert "in import_module" in trace[-1]


def test_a_fault_shows_where_its_cause_is_in_the_users_code(tmp_path, monkeypatch):
    (tmp_path / "handler_with_cause.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "def load(name):\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ImportError as error:\n"
        "        raise InitError(kind, 'Unable to import') from error\n"
    )
    names = in_package(source, importlib=importlib, InitError=InitError, kind=IMPORT_MODULE_ERROR)
    error = caught(names["load"], "handler_with_cause")
    error.__traceback__ = error.__traceback__.tb_next
    assert report(error).stack_trace == [
        "Caused by: ModuleNotFoundError: No module named 'no_such_module_anywhere'\n",
        f'  File "{tmp_path}/handler_with_cause.py", line 1, in <module>\n    import no_such_module_anywhere\n',
    ]


def test_what_we_called_in_the_standard_library_is_not_the_users():
    names = in_package("def decode(text):\n    json.loads(text)\n", json=json)
    error = caught(names["decode"], "{")
    error.__traceback__ = error.__traceback__.tb_next
    assert report(error).stack_trace == []


def test_what_the_user_called_in_the_standard_library_is_shown():
    trace = report(caught(lambda: json.loads("{"))).stack_trace
    assert "decoder.py" in trace[-1]


# Chains and groups


def test_a_cause_follows_below_a_line_that_names_it():
    def handler():
        try:
            fail(KeyError("k"))
        except KeyError as error:
            raise ValueError("bad") from error

    trace = report(caught(handler)).stack_trace
    place = trace.index("Caused by: KeyError: 'k'\n")
    assert 'raise ValueError("bad") from error' in trace[place - 1]
    assert "raise error" in trace[-1]


def test_what_was_being_handled_follows_unless_it_was_suppressed():
    def handler(suppress):
        try:
            fail(KeyError("k"))
        except KeyError:
            if suppress:
                raise ValueError("bad") from None
            raise ValueError("bad")  # noqa: B904

    assert "During handling of: KeyError: 'k'\n" in report(caught(handler, False)).stack_trace
    assert "KeyError" not in "".join(report(caught(handler, True)).stack_trace)


def test_what_we_handled_while_the_handler_ran_is_not_shown():
    source = "def waist(call):\n    try:\n        {}['ours']\n    except KeyError:\n        call()\n"
    names = in_package(source)
    error = caught(names["waist"], lambda: fail(ValueError("bad")))
    assert isinstance(error.__context__, KeyError)
    assert "During handling" not in "".join(report(error).stack_trace)


def test_members_of_a_group_are_numbered_and_show_their_frames():
    inner = ExceptionGroup("inner", [caught(fail, KeyError("deep"))])
    group = ExceptionGroup("outer", [caught(fail, ValueError("one")), inner])
    trace = report(caught(fail, group)).stack_trace
    headers = [entry for entry in trace if not entry.startswith("  File")]
    assert headers == [
        "Exception 1: ValueError: one\n",
        "Exception 2: ExceptionGroup: inner (1 sub-exception)\n",
        "Exception 2.1: KeyError: 'deep'\n",
    ]
    assert "raise error" in trace[trace.index(headers[0]) + 2]


def test_notes_are_shown():
    error = ValueError("bad")
    error.add_note("while reading row 7")
    assert report(error).stack_trace == ["Note: while reading row 7\n"]
    error.__notes__ = 5
    assert report(error).stack_trace == []


def test_a_cycle_of_causes_ends():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert report(first).stack_trace == ["Caused by: ValueError: second\n"]


def test_a_long_chain_and_a_wide_group_are_cut():
    error: BaseException = ValueError(0)
    for number in range(1, 5000):
        outer = ValueError(number)
        outer.__cause__ = error
        error = outer
    assert report(error).stack_trace[-1] == "... more exceptions left out\n"
    assert len(report(error).stack_trace) < 40
    wide = report(ExceptionGroup("wide", [ValueError(number) for number in range(5000)]))
    assert wide.stack_trace[-1] == "... more exceptions left out\n"
    assert len(wide.stack_trace) < 40


# Sizes


def recurse(depth: int) -> None:
    if depth:
        recurse(depth - 1)
    raise ValueError("deep")


def test_a_recursion_is_folded_as_python_does():
    trace = report(caught(recurse, 500)).stack_trace
    assert "  [Previous line repeated 497 more times]\n" in trace
    assert len(trace) < 10


def test_a_recursion_error_is_reported():
    def forever():
        forever()

    described = report(caught(forever))
    assert described.error_type == "RecursionError"
    assert len(described.stack_trace) < 10


def test_the_middle_of_a_deep_trace_is_left_out():
    functions: dict = {}
    lines = "".join(f"def f{number}():\n    f{number + 1}()\n" for number in range(400))
    functions = run_as("/var/task/deep.py", lines + "def f400():\n    raise ValueError('bad')\n")
    trace = report(caught(functions["f0"])).stack_trace
    assert len(trace) == 101
    assert trace[50] == "  ... 302 frames left out ...\n"
    assert "in f0\n" in trace[1]
    assert "in f400\n" in trace[-1]


MILLIONS = 2_000_000


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * MILLIONS),
        ValueError("\0" * MILLIONS),
        ValueError("🐍" * MILLIONS),
        ValueError("\ud800" * MILLIONS),
        type("N" * MILLIONS, (Exception,), {})("x" * MILLIONS),
        ExceptionGroup("\0" * MILLIONS, [ValueError("\0" * MILLIONS) for _ in range(100)]),
    ],
    ids=["ascii", "nul", "emoji", "surrogate", "class name", "group"],
)
def test_whatever_an_exception_carries_the_limits_of_the_runtime_api_hold(error):
    for _ in range(100):
        error.add_note("\0" * 100_000)
    directory = "/\x01" * 1000  # a control character takes six bytes of JSON
    source = "def f0(error):\n    raise error\n"
    for number in range(1, 100):
        source += f"def f{number}(error):\n    f{number - 1}(error)\n"
    names = run_as(directory + "app.py", source)
    described = report(caught(names["f99"], error), "req-1")
    assert len(described.body()) < MAX_ERROR_BODY
    assert json.loads(described.body())["requestId"] == "req-1"
    assert len(described.xray_cause()) <= MAX_XRAY_CAUSE
    json.loads(described.xray_cause())
    assert len(described.function_error_type) < 300


def test_a_cut_message_says_so():
    assert report(ValueError("x" * 50_000)).message == "x" * 40_000 + "... [10000 more characters]"


# The X-Ray cause


def test_the_xray_cause_has_the_shape_of_aws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = caught(fail, ValueError("bad"))
    error.__traceback__ = error.__traceback__.tb_next
    line = fail.__code__.co_firstlineno + 1
    assert json.loads(report(error).xray_cause()) == {
        "working_directory": str(tmp_path),
        "exceptions": [
            {"message": "bad", "type": "ValueError", "stack": [{"label": "fail", "path": HERE, "line": line}]}
        ],
        "paths": [HERE],
    }


def test_a_removed_working_directory_is_no_problem(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert json.loads(report(ValueError("bad")).xray_cause())["working_directory"] == ""


def test_the_innermost_frames_stay_when_the_cause_is_too_large():
    source = "def f0():\n    raise ValueError('bad')\n"
    for number in range(1, 90):
        source += f"def f{number}():\n    f{number - 1}()\n"
    names = run_as("/" + "d" * 900 + "/app.py", source)
    cause = json.loads(report(caught(names["f89"])).xray_cause())
    labels = [frame["label"] for frame in cause["exceptions"][0]["stack"]]
    assert labels == [f"f{number}" for number in range(24, -1, -1)]
