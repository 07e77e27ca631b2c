"""The settings that are numbers: what they mean, and who is named when one is none."""

from __future__ import annotations

import pytest

from polylambda.errors import ConfigurationError
from polylambda.runtime.limits import Limits
from polylambda.settings import Settings


def limits(**variables: str) -> Limits:
    return Limits(Settings({"POLYLAMBDA_" + name: value for name, value in variables.items()}))


def test_the_defaults() -> None:
    found = limits()
    assert (found.shutdown_grace, found.deadline_grace) == (0.5, 0.1)
    assert (found.cancel_at_deadline, found.kill_at_deadline) == (True, False)
    assert found.max_background is None


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("2", 2.0), (" 0.25 ", 0.25), ("1e2", 100.0)])
def test_seconds(text: str, seconds: float) -> None:
    assert limits(SHUTDOWN_GRACE=text).shutdown_grace == seconds
    assert limits(DEADLINE_GRACE=text).deadline_grace == seconds


@pytest.mark.parametrize("name", ["SHUTDOWN_GRACE", "DEADLINE_GRACE"])
@pytest.mark.parametrize("text", ["soon", "-1", "-0.001", "inf", "-inf", "nan", "500ms", " "])
def test_what_is_no_number_of_seconds_names_the_variable_and_the_value(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"POLYLAMBDA_{name} is {text!r}: it must be a number of seconds"):
        limits(**{name: text})


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("16", 16), (" 3 ", 3)])
def test_a_bound_for_background_work(text: str, number: int) -> None:
    assert limits(MAX_BACKGROUND=text).max_background == number


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "²", "٣", " "])
def test_what_is_no_bound_names_the_variable_and_the_value(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"POLYLAMBDA_MAX_BACKGROUND is {text!r}: it must be a number"):
        limits(MAX_BACKGROUND=text)


def test_switches() -> None:
    found = limits(CANCEL_AT_DEADLINE="off", KILL_AT_DEADLINE="1")
    assert (found.cancel_at_deadline, found.kill_at_deadline) == (False, True)
