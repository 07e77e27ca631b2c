from __future__ import annotations

import sys
from pathlib import Path

import pytest

from polylambda.cli.target import Target, target_of
from polylambda.errors import ConfigurationError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("raise AssertionError('imported')")
    (tmp_path / "src" / "orders").mkdir(parents=True)
    (tmp_path / "src" / "orders" / "main.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "package" / "inner.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    "handler",
    ["app.handler", "src/orders/main.handler", "src.orders.main.handler", "package.inner.f", "package.f", "json.dumps"],
)
def test_handlers_are_found_without_importing_them(handler: str):
    assert target_of(handler, None) == Target([sys.executable, "-m", "polylambda", handler], handler)


def test_command():
    assert target_of(None, ["./bootstrap", "x"]) == Target(["./bootstrap", "x"])


@pytest.mark.parametrize(
    ("name", "command", "message"),
    [
        (None, None, "name the handler"),
        (None, [], "after --"),
        ("app.handler", ["x"], "either a handler or a command"),
        ("app", None, "'app' is no handler.*such as app.handler"),
        ("app.py", None, "'app.py' is no handler.*such as app.handler"),
        ("app.", None, "no handler.*app.handler"),
        (".handler", None, "no handler"),
        ("nope.handler", None, "there is no module 'nope'.*nope.py"),
        ("src/nope.handler", None, "there is no module 'src.nope'.*src/nope.py"),
        ("app.inner.handler", None, "there is no module 'app.inner'"),
    ],
)
def test_mistakes_are_one_sentence(name: str | None, command: list[str] | None, message: str):
    with pytest.raises(ConfigurationError, match=message) as caught:
        target_of(name, command)
    assert "\n" not in str(caught.value)
