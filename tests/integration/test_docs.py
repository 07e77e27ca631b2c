"""What the documentation says is so: its Python runs, its commands print what it shows, its tables are complete."""

from __future__ import annotations

import asyncio
import doctest
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import polylambda
from polylambda import LambdaRuntime, ResponseError, ResponseStream, response
from polylambda.handlers import compile_handler
from polylambda.settings import Settings
from scripts import conformance_tools
from tests.integration.transcript import Terminal, blocks, steps_of

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = PAGES

# What CI does anyway, and what would change the environment that the tests run in.
NOT_RUN = ("make ", "pip install ")


@pytest.fixture
def _only_compiled(monkeypatch: pytest.MonkeyPatch):
    """The pages' own `.run()`, which would serve for ever; a `RuntimeClient` brings its settings, and runs."""
    run = LambdaRuntime.run

    def compile_or_run(runtime: LambdaRuntime) -> None:
        if runtime._settings is None:
            compile_handler(runtime.handler, runtime.middleware)
        else:
            run(runtime)

    monkeypatch.setattr(LambdaRuntime, "run", compile_or_run)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page's modules are."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.usefixtures("_only_compiled")
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_page(page: Path, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # where annotations are looked up
    with Terminal(folder, aws_variables(folder)) as terminal:
        for language, source in blocks(page):
            if language == "python" and (name := re.match(r"# (\w+)\.py\n", source)):
                (folder / f"{name[1]}.py").write_text(source)
                importlib.invalidate_caches()
                importlib.import_module(name[1])
            elif language == "python":
                known = set(vars(module))
                exec(compile(terminal.localised(source), str(page), "exec"), vars(module))
                run_tests({name: value for name, value in vars(module).items() if name not in known}, request)
            elif language == "console":
                for step in steps_of(source):
                    if not step.command.startswith(NOT_RUN):
                        terminal.run(step)


def run_tests(names: Mapping[str, Any], request: pytest.FixtureRequest) -> None:
    """Run the test functions of a block, with the fixtures they ask for."""
    for name, function in names.items():
        if name.startswith("test_"):
            arguments = [request.getfixturevalue(parameter) for parameter in inspect.signature(function).parameters]
            result = function(*arguments)
            if inspect.iscoroutine(result):
                asyncio.run(result)


def aws_variables(folder: Path) -> dict[str, str]:
    """For commands that use the AWS CLI: bash reads the file before each command."""
    if not conformance_tools.AWS_CLI_PYTHON.exists():
        pytest.fail(f"{conformance_tools.AWS_CLI_PYTHON} is missing: run `make tools`.", pytrace=False)
    shim = folder / "aws.sh"
    shim.write_text(f'aws() {{ {conformance_tools.AWS_CLI_PYTHON} -m awscli "$@"; }}\n')
    return {"BASH_ENV": str(shim)}


def test_examples_in_docstrings():
    found = 0
    for module in pkgutil.walk_packages(polylambda.__path__, "polylambda."):
        if not module.name.endswith("__main__"):  # which is the program
            result = doctest.testmod(importlib.import_module(module.name))
            assert result.failed == 0, module.name
            found += result.attempted
    assert found


def test_links():
    for page in [
        *PAGES,
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("examples/**/README.md"),
        ROOT / "benchmarks" / "README.md",
    ]:
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    assert set(re.findall(r"\(([\w-]+\.md)\)", index)) == {page.name for page in PAGES if page.stem != "README"}


# Tables and diagrams


class Nowhere:
    """A sink."""

    def answer(self, body: bytes, content_type: str) -> Any:
        return response.DONE

    def start(self, content_type: str) -> None:
        pass

    def send(self, data: bytes) -> Any:
        return response.DONE

    def end(self, report: object) -> Any:
        return response.DONE


STATES = (response.OPEN, response.PRELUDE, response.STREAMING, response.FINISHED, response.EXPIRED)
STEPS = {"start_http": (), "write": ("x",), "finish": ()}


def test_states_of_a_response():
    page = (ROOT / "docs" / "responses.md").read_text()
    for state in STATES:
        cells: list[str] = []
        for step, arguments in STEPS.items():
            stream = ResponseStream(Nowhere())
            stream.state = state
            try:
                getattr(stream, step)(*arguments)
            except ResponseError as error:
                cells.append(f"`{error.code}`")
            else:
                cells.append(f"→ {stream.state}")
                assert f"    {state} --> {stream.state}: {step}\n" in page
        assert f"| {' | '.join([state, *cells])} |\n" in page
    legal = sum(line.count("→") for line in page.splitlines())
    assert len(re.findall(r"--> \w+: (?:start_http|write|finish)\n", page)) == legal


class Asked(dict[str, str]):
    """An environment that remembers what was looked for."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


def test_every_variable_is_told():
    environ = Asked()
    Settings(environ)
    page = (ROOT / "docs" / "configuration.md").read_text()
    told = {
        name
        for line in page.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert told == environ.names


def test_every_public_exception_is_told():
    page = (ROOT / "docs" / "errors.md").read_text()
    public = {
        name
        for name in polylambda.__all__
        if isinstance(each := getattr(polylambda, name), type) and issubclass(each, Exception)
    }
    assert set(re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE)) == public - {"PolylambdaError"}
    for name, told in re.findall(r"^\| `(\w+)` \| .* \| `([\w.]+)` \|$", page, re.MULTILINE):
        assert getattr(polylambda, name).fault_type == told


def test_every_addition_to_the_context_is_told():
    page = (ROOT / "docs" / "handlers.md").read_text()
    for name in re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE):
        assert hasattr(polylambda.testing.make_context(), name)


def test_every_module_is_told():
    core, _, plane = (ROOT / "docs" / "design.md").read_text().partition("## The plane")
    package = Path(polylambda.__file__).parent
    assert told_in(core) == modules_of(package)
    # The parts of the plane, without the small ones that they are made of.
    assert told_in(plane) < modules_of(package / "plane")


def told_in(page: str) -> set[str]:
    return {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }


def modules_of(package: Path) -> set[str]:
    modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    return modules - {"__init__", "__main__"}


def test_current_version_is_in_the_changelog():
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changes or f"## [{polylambda.__version__}]" in changes
