from __future__ import annotations

import os
from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.local.options import Options, configuration, from_settings, runtime_environment
from polylambda.settings import Settings


def test_defaults():
    options = from_settings(Settings({}))
    assert (options.host, options.port, options.endpoint) == ("127.0.0.1", 7000, "/invoke")


def test_environment_variables():
    options = from_settings(
        Settings(
            {
                "LOCAL_LAMBDA_HOST": "0.0.0.0",
                "LOCAL_LAMBDA_PORT": "8080",
                "LOCAL_LAMBDA_INVOCATION_ENDPOINT": "/2/run",
            }
        )
    )
    assert (options.host, options.port, options.endpoint) == ("0.0.0.0", 8080, "/2/run")


def test_endpoint_gets_its_slash():
    assert from_settings(Settings({"LOCAL_LAMBDA_INVOCATION_ENDPOINT": "run"})).endpoint == "/run"


@pytest.mark.parametrize("port", ["abc", "-1", "65536", "7.0", "\u0667"])
def test_port_that_is_none(port: str):
    with pytest.raises(ConfigurationError, match="LOCAL_LAMBDA_PORT is"):
        from_settings(Settings({"LOCAL_LAMBDA_PORT": port}))


class TestRuntimeEnvironment:
    @pytest.fixture(autouse=True)
    def own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEPT", "ours")
        monkeypatch.setenv("REPLACED", "ours")

    def test_ours_is_inherited(self):
        environ = runtime_environment(Options())
        assert environ == {**os.environ, "PYTHONUNBUFFERED": "1"}

    def test_env_file(self, tmp_path: Path):
        path = tmp_path / ".env"
        path.write_text("# a comment\nA=1\nexport B='two words' # more\n\nC=\"x\\ny\"\nEMPTY=\nNOTHING\nREPLACED=new\n")
        environ = runtime_environment(Options(env_file=path))
        expected = {"A": "1", "B": "two words", "C": "x\ny", "EMPTY": "", "KEPT": "ours", "REPLACED": "new"}
        assert expected.items() <= environ.items()
        assert "NOTHING" not in environ

    def test_env_file_that_is_missing(self, tmp_path: Path):
        with pytest.raises(ConfigurationError, match=r"nope\.env cannot be read: No such file"):
            runtime_environment(Options(env_file=tmp_path / "nope.env"))

    def test_env_file_that_is_no_text(self, tmp_path: Path):
        (tmp_path / "x").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="not UTF-8"):
            runtime_environment(Options(env_file=tmp_path / "x"))


def test_function_is_what_aws_variables_say():
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "orders",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    function = configuration(environ, Options(handler="app.handler"))
    assert (function.name, function.memory_size, function.region) == ("orders", 512, "eu-central-1")
    assert (function.log_format, function.handler, function.task_root) == ("JSON", "app.handler", str(Path.cwd()))
    assert "AWS_LAMBDA_MAX_CONCURRENCY" not in function.environment_variables("localhost:1")


def test_region_of_the_sdks_is_good_enough():
    assert configuration({"AWS_DEFAULT_REGION": "eu-west-1"}, Options()).region == "eu-west-1"


def test_concurrency_makes_it_a_managed_instance():
    function = configuration({}, Options(concurrency=8))
    variables = function.environment_variables("localhost:1")
    assert variables["AWS_LAMBDA_MAX_CONCURRENCY"] == "8"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances"


@pytest.mark.parametrize(("text", "slots"), [("8", 8), ("1", 1), ("", None), ("0", None), ("many", None)])
def test_concurrency_of_the_environment(text: str, slots: int | None):
    function = configuration({"AWS_LAMBDA_MAX_CONCURRENCY": text}, Options())
    assert function.max_concurrency == slots
    assert (function.initialization_type == "lambda-managed-instances") == (slots is not None)
    assert configuration({"AWS_LAMBDA_MAX_CONCURRENCY": text}, Options(concurrency=3)).max_concurrency == 3


@pytest.mark.parametrize(("concurrency", "limit"), [(None, 6), (1, 6), (8, 13)])
def test_limit_counts_those_that_run_and_those_that_wait(concurrency: int | None, limit: int):
    assert Options(concurrency=concurrency, queue_limit=5).limit == limit
