"""From the name of a handler to the handler, or to the reason why there is none."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polylambda.errors import InitError
from polylambda.report import report
from polylambda.runtime.loading import load_handler

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module into a folder that modules are imported from, for the length of a test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(path: str, source: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("loaded_app.py", "loaded_app.handler"),
        ("loaded/app.py", "loaded.app.handler"),
        ("loaded/app.py", "loaded/app.handler"),
        ("loaded/deep/app.py", "loaded/deep.app.handler"),
    ],
)
def test_a_handler_is_found_by_its_name(write, path, name):
    write(path, "def handler(event, context): return 'found'")
    handler = load_handler(name)
    assert callable(handler)
    assert handler(None, None) == "found"


@pytest.mark.parametrize(
    "name", ["", "handler", ".handler", "app.", "a..b", "/var/task/app.handler", "../app.handler", "."]
)
def test_a_name_that_is_none(name):
    with pytest.raises(InitError, match="Bad handler") as caught:
        load_handler(name)
    assert caught.value.fault_type == "Runtime.MalformedHandlerName"


@pytest.mark.parametrize("name", ["sys.exit", "builtins/x.print"])
def test_a_module_of_the_interpreter(name):
    with pytest.raises(InitError, match="Cannot use built-in module") as caught:
        load_handler(name)
    assert caught.value.fault_type == "Runtime.BuiltInModuleConflict"


def test_a_module_that_does_not_exist():
    with pytest.raises(InitError) as caught:
        load_handler("folder/nowhere.handler")
    assert caught.value.fault_type == "Runtime.ImportModuleError"
    assert str(caught.value) == "Unable to import module 'folder/nowhere': No module named 'folder'"


def test_a_module_that_imports_one_that_does_not_exist(write):
    write("loaded_app.py", "import nowhere_to_be_found")
    with pytest.raises(InitError) as caught:
        load_handler("loaded_app.handler")
    assert str(caught.value) == "Unable to import module 'loaded_app': No module named 'nowhere_to_be_found'"
    trace = json.loads(report(caught.value).body())["stackTrace"]
    assert any('loaded_app.py", line 1' in line for line in trace)


def test_a_module_with_a_syntax_error(write):
    write("loaded_app.py", "def handler(:\n    pass")
    with pytest.raises(InitError, match="Syntax error in module 'loaded_app': invalid syntax") as caught:
        load_handler("loaded_app.handler")
    payload = json.loads(report(caught.value).body())
    assert payload["errorType"] == "Runtime.UserCodeSyntaxError"
    assert payload["stackTrace"][0].startswith('  File "')
    assert payload["stackTrace"][0].endswith('loaded_app.py" Line 1\n    def handler(:\n')


def test_a_module_without_the_handler(write):
    write("loaded_app.py", "")
    with pytest.raises(InitError, match="Handler 'handler' missing on module 'loaded_app'") as caught:
        load_handler("loaded_app.handler")
    payload = json.loads(report(caught.value).body())
    assert (payload["errorType"], payload["stackTrace"]) == ("Runtime.HandlerNotFound", [])


def test_what_else_a_module_raises_is_passed_on(write):
    write("loaded_app.py", "raise ValueError('no table')")
    with pytest.raises(ValueError, match="no table"):
        load_handler("loaded_app.handler")
