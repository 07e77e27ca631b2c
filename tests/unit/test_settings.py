"""Every environment variable, read once."""

from __future__ import annotations

import os

import pytest

from polylambda.settings import Settings, environment

VARIABLES = {
    "AWS_LAMBDA_RUNTIME_API": "runtime_api",
    "_HANDLER": "handler",
    "LAMBDA_TASK_ROOT": "task_root",
    "AWS_LAMBDA_FUNCTION_NAME": "function_name",
    "AWS_LAMBDA_FUNCTION_VERSION": "function_version",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "memory_limit_in_mb",
    "AWS_LAMBDA_LOG_GROUP_NAME": "log_group_name",
    "AWS_LAMBDA_LOG_STREAM_NAME": "log_stream_name",
    "AWS_REGION": "region",
    "AWS_EXECUTION_ENV": "execution_env",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "initialization_type",
    "AWS_LAMBDA_MAX_CONCURRENCY": "max_concurrency",
    "AWS_LAMBDA_CONCURRENCY_MODE": "concurrency_mode",
    "AWS_LAMBDA_LOG_FORMAT": "log_format",
    "AWS_LAMBDA_LOG_LEVEL": "log_level",
    "LOG_LEVEL": "log_level_fallback",
    "_LAMBDA_TELEMETRY_LOG_FD": "log_fd",
    "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET": "log_socket",
    "POLYLAMBDA_MAX_BACKGROUND": "max_background",
    "POLYLAMBDA_DEADLINE_GRACE": "deadline_grace",
    "POLYLAMBDA_SHUTDOWN_GRACE": "shutdown_grace",
    "POLYLAMBDA_LOOP": "loop",
    "LOCAL_LAMBDA_HOST": "local_host",
    "LOCAL_LAMBDA_PORT": "local_port",
    "LOCAL_LAMBDA_INVOCATION_ENDPOINT": "local_invocation_endpoint",
}
SWITCHES = {
    "POLYLAMBDA_PIPELINING": "pipelining",
    "POLYLAMBDA_POLL_FIRST": "poll_first",
    "POLYLAMBDA_REGISTER_EXTENSION": "register_extension",
    "POLYLAMBDA_CAPTURE_PRINT": "capture_print",
    "POLYLAMBDA_CANCEL_AT_DEADLINE": "cancel_at_deadline",
}
SWITCHES_THAT_ARE_OFF = {
    "POLYLAMBDA_PRELOAD": "preload",
    "POLYLAMBDA_KILL_AT_DEADLINE": "kill_at_deadline",
}


@pytest.mark.parametrize(("variable", "attribute"), VARIABLES.items())
def test_each_variable_has_its_attribute(variable, attribute):
    assert getattr(Settings({variable: "value"}), attribute) == "value"


def test_without_variables_there_are_defaults():
    settings = Settings({})
    assert settings.runtime_api is None
    assert settings.max_concurrency is None
    assert settings.function_name == settings.log_group_name == settings.log_stream_name == ""
    assert settings.concurrency_mode is settings.max_background is settings.log_socket is None
    assert (settings.deadline_grace, settings.shutdown_grace) == ("0.1", "0.5")
    assert settings.loop == "auto"


@pytest.mark.parametrize("variable", ["AWS_LAMBDA_RUNTIME_API", "_HANDLER", "_LAMBDA_TELEMETRY_LOG_FD"])
def test_an_empty_variable_is_an_absent_one(variable):
    assert getattr(Settings({variable: ""}), VARIABLES[variable]) is None


@pytest.mark.parametrize(("variable", "attribute"), SWITCHES.items())
def test_switches_are_on_until_they_are_switched_off(variable, attribute):
    assert getattr(Settings({}), attribute) is True
    for value in ("1", "true", "yes", "", "whatever"):
        assert getattr(Settings({variable: value}), attribute) is True
    for value in ("0", "false", "No", " OFF "):
        assert getattr(Settings({variable: value}), attribute) is False


@pytest.mark.parametrize(("variable", "attribute"), SWITCHES_THAT_ARE_OFF.items())
def test_switches_are_off_until_they_are_switched_on(variable, attribute):
    assert getattr(Settings({}), attribute) is False
    for value in ("1", "true", "Yes", " on "):
        assert getattr(Settings({variable: value}), attribute) is True
    for value in ("0", "false", "No", " OFF ", ""):
        assert getattr(Settings({variable: value}), attribute) is False


@pytest.mark.parametrize(
    ("variable", "attribute", "default"),
    [
        ("AWS_LAMBDA_CONCURRENCY_MODE", "concurrency_mode", None),
        ("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET", "log_socket", None),
        ("POLYLAMBDA_MAX_BACKGROUND", "max_background", None),
        ("POLYLAMBDA_DEADLINE_GRACE", "deadline_grace", "0.1"),
        ("POLYLAMBDA_SHUTDOWN_GRACE", "shutdown_grace", "0.5"),
    ],
)
def test_an_empty_setting_of_managed_environments_is_its_default(variable, attribute, default):
    assert getattr(Settings({variable: ""}), attribute) == default


def test_another_programs_environment_is_ours_with_changes(monkeypatch):
    monkeypatch.setenv("COLOUR", "blue")
    changed = environment(COLOUR="red", SHAPE="round")
    assert (changed["COLOUR"], changed["SHAPE"]) == ("red", "round")
    assert environment()["COLOUR"] == os.environ["COLOUR"] == "blue"
    assert {name for name in changed if name not in os.environ} == {"SHAPE"}


def test_settings_do_not_change():
    settings = Settings({})
    with pytest.raises(AttributeError, match="settings do not change after they were read: loop"):
        settings.loop = "uvloop"


def test_the_processs_own_log_descriptor_is_not_inherited(monkeypatch):
    monkeypatch.setenv("_LAMBDA_TELEMETRY_LOG_FD", "3")
    assert Settings().log_fd == "3"
    assert Settings().log_fd is None


def test_somebody_elses_environment_stays_as_it_is():
    environ = {"_LAMBDA_TELEMETRY_LOG_FD": "3"}
    Settings(environ)
    assert environ == {"_LAMBDA_TELEMETRY_LOG_FD": "3"}


def test_settings_can_be_read():
    assert "function_name='orders'" in repr(Settings({"AWS_LAMBDA_FUNCTION_NAME": "orders"}))
