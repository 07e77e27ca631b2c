"""Every environment variable, read once."""

from __future__ import annotations

import pytest

from polylambda.settings import Settings

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
    "POLYLAMBDA_LOOP": "loop",
    "LOCAL_LAMBDA_HOST": "local_host",
    "LOCAL_LAMBDA_PORT": "local_port",
    "LOCAL_LAMBDA_INVOCATION_ENDPOINT": "local_invocation_endpoint",
}
SWITCHES = {
    "POLYLAMBDA_PIPELINING": "pipelining",
    "POLYLAMBDA_REGISTER_EXTENSION": "register_extension",
    "POLYLAMBDA_CAPTURE_PRINT": "capture_print",
}


@pytest.mark.parametrize(("variable", "attribute"), VARIABLES.items())
def test_each_variable_has_its_attribute(variable, attribute):
    assert getattr(Settings({variable: "value"}), attribute) == "value"


def test_without_variables_there_are_defaults():
    settings = Settings({})
    assert settings.runtime_api is None
    assert settings.max_concurrency is None
    assert settings.function_name == settings.log_group_name == settings.log_stream_name == ""
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
