from __future__ import annotations

import sys

import pytest

from polylambda import LambdaRuntime, cli, local
from polylambda.errors import ConfigurationError
from polylambda.settings import Settings


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(("polylambda.local.", "polylambda.cli.")):
            monkeypatch.delitem(sys.modules, name)
    for name in ("uvicorn", "cyclopts", "rich", "watchfiles", "dotenv"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_extra")
class TestWithoutTheExtra:
    def test_serve_says_how_to_get_it(self):
        with pytest.raises(ConfigurationError, match=r"needs \w+, .* pip install 'polylambda\[local\]'"):
            local.serve(["true"])

    def test_run_outside_lambda_says_how_to_get_it(self):
        with pytest.raises(SystemExit, match=r"polylambda: .* pip install 'polylambda\[local\]'"):
            local.serve_program(Settings({}))

    def test_the_command_says_how_to_get_it(self, capsys: pytest.CaptureFixture[str]):
        assert cli.main(["--version"]) == cli.USAGE
        assert "pip install 'polylambda[local]'" in capsys.readouterr().err


def test_what_only_has_the_runtime_says_how_to_get_the_rest(monkeypatch: pytest.MonkeyPatch):
    """As in the zip files that `polylambda package` makes."""
    monkeypatch.setitem(sys.modules, "polylambda.local", None)
    monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
    with pytest.raises(SystemExit, match=r"AWS_LAMBDA_RUNTIME_API is not set, .* pip install 'polylambda\[local\]'"):
        LambdaRuntime(str).run()


def test_other_missing_modules_are_not_explained_away():
    with pytest.raises(ModuleNotFoundError), local.extra_installed("this"):
        raise ModuleNotFoundError("no", name="something_else")
