from __future__ import annotations

import io
import re

import pytest

from polylambda.local.function import Run
from polylambda.local.screen import Screen
from polylambda.server.broker import Invocation, Outcome, Response

INVOCATION = Invocation(payload=b"{}", request_id="12345678-aaaa")


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


def ended(outcome: Outcome, error_type: str | None = None) -> Run:
    run = Run(INVOCATION, "POST /invoke")
    run.response = Response(INVOCATION.request_id)
    run.response.outcome = outcome
    run.response.error_type = error_type
    run.size = 321
    return run


def unstamped(text: str) -> str:
    return re.sub(r"^\d\d:\d\d:\d\d\.\d{3}  ", "", text)


@pytest.mark.parametrize(
    ("outcome", "error_type", "shown"),
    [
        (Outcome.SUCCESS, None, "ok"),
        (Outcome.ERROR, "Function.ValueError", "error"),
        (Outcome.TIMEOUT, "Sandbox.Timedout", "timeout"),
        (Outcome.FAILURE, "Runtime.ExitError", "failure"),
        (Outcome.TRUNCATED, "Runtime.TruncatedResponse", "truncated"),
        (Outcome.PENDING, None, "hung up"),
    ],
)
def test_one_line_an_invocation(file: io.StringIO, outcome: Outcome, error_type: str | None, shown: str):
    Screen(file).invocation(ended(outcome, error_type))
    line = unstamped(file.getvalue())
    assert line.startswith(f"12345678  POST /invoke  {shown}  ")
    assert re.search(r"  \d+\.\d ms  321 B", line)
    assert line.endswith(f"  {error_type}\n" if error_type else "321 B\n")
    assert line.count("\n") == 1


def test_note_and_refusal(file: io.StringIO):
    run = Run(INVOCATION, "GET /")
    run.note = "1000 invocations wait"
    Screen(file).invocation(run)
    assert "GET /  refused" in file.getvalue()
    assert file.getvalue().endswith("1000 invocations wait\n")


def test_output_passes_through(file: io.StringIO):
    screen = Screen(file)
    long = "x" * 500
    for line in (b"[bold]not markup[/bold] :smile:", b'{"level": "INFO"}', b"\xff\xfe", long.encode(), b""):
        screen.output(line)
    assert file.getvalue() == f'[bold]not markup[/bold] :smile:\n{{"level": "INFO"}}\n\ufffd\ufffd\n{long}\n\n'


def test_error_of_one_line_becomes_readable(file: io.StringIO):
    Screen(file).output(
        b'[ERROR] ValueError: bad\rTraceback (most recent call last):\r\xc2\xa0\xc2\xa0File "a.py", line 1'
    )
    assert file.getvalue() == '[ERROR] ValueError: bad\nTraceback (most recent call last):\n  File "a.py", line 1\n'


def test_tracebacks_are_coloured_on_a_terminal(file: io.StringIO):
    screen = Screen(file, colour=True)
    for line in (
        b"before",
        b"Traceback (most recent call last):",
        b'  File "app.py", line 7, in handler',
        b"    1 / 0",
        b"ZeroDivisionError: division by zero",
        b"after",
    ):
        screen.output(line)
    before, head, frame, source, error, after = file.getvalue().splitlines()
    assert (before, source, after) == ("before", "    1 / 0", "after")
    red = "\x1b[1;31m"
    assert head.startswith(red)
    assert error.startswith(red)
    assert frame.count("\x1b[") > 3


def test_plain_elsewhere(file: io.StringIO):
    screen = Screen(file)
    screen.output(b"Traceback (most recent call last):")
    screen.output(b'  File "app.py", line 7, in handler')
    screen.problem("bad")
    screen.banner("title", {"a": "b"})
    assert "\x1b" not in file.getvalue()


def test_colour_of_one_error_does_not_leak_into_the_next_line(file: io.StringIO):
    screen = Screen(file, colour=True)
    screen.output(b'[ERROR] ValueError: bad\rTraceback (most recent call last):\r  File "a.py", line 1, in f')
    screen.output(b"next")
    assert file.getvalue().splitlines()[-1] == "next"


def test_colours_of_the_function_stay_on_a_terminal_and_go_elsewhere(file: io.StringIO):
    Screen(file).output(b"\x1b[32mgreen\x1b[0m")
    assert file.getvalue() == "green\n"
    on_terminal = io.StringIO()
    Screen(on_terminal, colour=True).output(b"\x1b[32mgreen\x1b[0m")
    assert on_terminal.getvalue() == "\x1b[32mgreen\x1b[0m\n"


ONE, OTHER = "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb"


def test_request_ids_before_lines_are_short(file: io.StringIO):
    screen = Screen(file)
    for line in (
        f"{ONE}\tone",
        f"{OTHER}\t",
        f"{ONE}\t[ERROR] E: bad\rTraceback:\r\xa0\xa0in f",
        f"{ONE}",
        "11111111\tx",
    ):
        screen.output(line.encode())
    shown = ["11111111  one", "22222222  ", "11111111  [ERROR] E: bad", "11111111  Traceback:", "11111111    in f"]
    assert file.getvalue().splitlines()[:-1] == [*shown, ONE]


def test_traceback_of_one_invocation_does_not_colour_another(file: io.StringIO):
    screen = Screen(file, colour=True)
    for line in (f"{ONE}\tTraceback (most recent call last):", f"{OTHER}\tcalm", f"{ONE}\tValueError: bad"):
        screen.output(line.encode())
    _, calm, error = file.getvalue().splitlines()
    assert calm.endswith("calm")
    assert "\x1b[1;31mValueError: bad" in error
