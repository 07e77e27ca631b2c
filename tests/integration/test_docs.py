"""What the documentation says is so: its Python runs, its commands print what it shows, its tables are complete."""

from __future__ import annotations

import ast
import asyncio
import doctest
import html
import importlib
import inspect
import pkgutil
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import polylambda
from polylambda import LambdaRuntime, ResponseError, ResponseStream, response
from polylambda.handlers import compile_handler
from polylambda.settings import Settings
from tests.integration import fences
from tests.integration.transcript import PLAIN_PYTEST, Step, Terminal, blocks, steps_of

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RULES = sorted((ROOT / "docs" / "rules").glob("*.md"))

NOT_RUN = {
    "make": "CI does it anyway, or it would change the environment that the tests run in",
    "pip": "it would change that environment",
    "git": "there is no repository to clone",
}
# From one of these on, a block needs AWS, or an engine for images.
NEEDS_MORE = ("aws", "cdk", "docker", "sam")
LOCAL_AWS = ("--endpoint-url http://127.0.0.1:", "AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:")

# Blocks that another test runs, or that only the site can show.
ELSEWHERE = {
    ("plane", "py"): "test_plane_cli.py",
    ("plane", "sh"): "test_plane_cli.py",
    ("api", "{eval-rst}"): "test_docs_site.py",
}


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
def _event_loop() -> Iterator[None]:
    """Mangum, which one page comes from, makes an event loop where there is none, and closes none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page's modules are."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # as for the commands: see `variables`
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.usefixtures("_only_compiled", "_event_loop")
@pytest.mark.timeout(180)  # a page may have many commands
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path, folder: Path, aws: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # where annotations are looked up
    with Terminal(folder, variables(folder, aws)) as terminal:
        for language, source in blocks(page):
            name = fences.name_of(source)
            if (page.stem, language) in ELSEWHERE:
                continue
            if name:
                fences.write(folder, name, source)
            if language == "python" and name:
                import_again(name)
            elif language == "python":
                known = set(vars(module))
                exec(compile(terminal.localised(source), str(page), "exec"), vars(module))
                run_tests({name: value for name, value in vars(module).items() if name not in known}, request)
            elif language == "console":
                for step in run_of(source):
                    terminal.run(step)
            elif language == "diff":
                change(folder, source)
            else:
                assert language in fences.PARSED, f"{page.name}: nothing checks a block of {language!r}"
                fences.PARSED[language](source)


def run_of(block: str) -> Iterator[Step]:
    """Return what is run of a console block."""
    local = any(sign in block for sign in LOCAL_AWS)
    for step in steps_of(block):
        program = step.command.split()[0]
        if program in NEEDS_MORE and not (program == "aws" and local):
            return
        if program not in NOT_RUN:
            yield step


def import_again(name: str) -> None:
    """Import the module that a block is, though an earlier block was it, too; a file of tests is left to pytest."""
    if re.fullmatch(r"(?!test_)\w+\.py", name):
        sys.modules.pop(name.removesuffix(".py"), None)
        importlib.invalidate_caches()
        importlib.import_module(name.removesuffix(".py"))


def change(folder: Path, diff: str) -> None:
    """Apply a diff to a file of the page, or see that it fits one of the repository's."""
    name = re.match(r"--- (\S+)\n", diff)
    assert name, f"the diff names no file: {diff}"
    if (folder / name[1]).exists():
        (folder / name[1]).write_text(fences.apply(diff, (folder / name[1]).read_text()))
        import_again(name[1])
    else:
        fences.apply(diff, (ROOT / name[1]).read_text())


def test_rules():
    """What the pages of the rules show is wrong on purpose, in part: the corpus of the rules is run, these are parsed."""
    for page in RULES:
        for language, source in blocks(page):
            if language == "python":
                compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            elif language != "console":
                assert language in fences.PARSED, f"{page.name}: nothing checks a block of {language!r}"
                fences.PARSED[language](source)


def test_every_fence_has_a_kind():
    """A block without a language would be seen by no test."""
    for page in [*PAGES, *RULES]:
        fenced = re.findall(r"^ *```", page.read_text(), re.MULTILINE)
        assert len(fenced) == 2 * len(blocks(page)), page


def run_tests(names: Mapping[str, Any], request: pytest.FixtureRequest) -> None:
    """Run the test functions of a block, with the fixtures they ask for."""
    for name, function in names.items():
        if name.startswith("test_"):
            arguments = [request.getfixturevalue(parameter) for parameter in inspect.signature(function).parameters]
            result = function(*arguments)
            if inspect.iscoroutine(result):
                asyncio.run(result)


def variables(folder: Path, aws: str) -> dict[str, str]:
    """The environment of commands: bash reads the file before each, and so knows the AWS CLI."""
    shim = folder / "aws.sh"
    shim.write_text(aws)
    # A page may change a module twice within a second, which bytecode would not notice.
    return {**PLAIN_PYTEST, "BASH_ENV": str(shim), "PYTHONDONTWRITEBYTECODE": "1"}


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
        *RULES,
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("examples/**/README.md"),
        ROOT / "benchmarks" / "README.md",
    ]:
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    assert set(re.findall(r"\(([\w-]+\.md)\)", index)) == {page.name for page in PAGES if page.stem != "README"}


# What must be installed

# Of commands and imports, what they need besides polylambda: an extra of it, or a distribution.
NEEDS = {
    r"polylambda (?:init|invoke|dev)\b|python -m polylambda |python app\.py": "local",
    r"polylambda check\b": "check",
    r"polylambda package\b": "package",
    r"polylambda (?:up|ps|load|logs|down)\b": "plane",
    r"(?:python -m )?pytest\b": "pytest",
}
IMPORTS = {
    r"polylambda\.asgi|polylambda import (?:.*, )?asgi": "asgi",
    **{rf"{name}\b": name for name in ("boto3", "fastapi", "httpx")},
}
NOT_TOLD = {"README", "check-on-real-code", "web"}  # what they need is said between their lines
INSTALLED = re.compile(r"\[installed\]\(quickstart\.md#install\)\s+with\s(.*?)\.(?:\s|$)", re.DOTALL)


def needed(page: Path) -> set[str]:
    """What a page's own commands and Python need."""
    found: set[str] = set()
    for language, source in blocks(page):
        if language == "console":
            lines = [step.command for step in steps_of(source)]
        else:
            lines = source.replace("$ ", "").splitlines()
        patterns = NEEDS if language in ("console", "sh") else IMPORTS if language in ("python", "py") else {}
        before = r"(?:.*(?:&&|;|\|) )?" if patterns is NEEDS else "(?:from|import) "
        found |= {
            need for line in lines for pattern, need in patterns.items() if re.match(f"{before}(?:{pattern})", line)
        }
    return found


def installed(page: Path) -> set[str]:
    """What a page says is installed: by its own lines for pip, or by a sentence that sends to those of the first page."""
    text = page.read_text()
    words = [word for line in re.findall(r"pip install ([^`\n]+)", text) for word in shlex.split(line, comments=True)]
    names = {name for word in words for name in extras_in(word) or [re.split(r"[<>=~]", word)[0]]}
    for sentence in INSTALLED.findall(text):
        names |= set(re.findall(r"`([\w-]+)`", sentence))
    return with_what_they_bring(names)


def extras_in(requirement: str) -> list[str]:
    found = re.fullmatch(r"(?:polylambda|\.)\[([\w,]+)\]", requirement)
    return found[1].split(",") if found else []


def with_what_they_bring(names: set[str]) -> set[str]:
    """Add the extras of polylambda that an extra brings."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    more = {name for each in names for requirement in extras.get(each, []) for name in extras_in(requirement)}
    return names if more <= names else with_what_they_bring(names | more)


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in NOT_TOLD], ids=lambda page: page.stem)
def test_says_what_must_be_installed(page: Path):
    """The tests have everything; whoever reads the page has what it told them to install."""
    assert needed(page) <= installed(page)


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
    drawing = html.unescape((ROOT / "docs" / "drawings" / "response.svg").read_text())
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
                assert f"{state} --> {stream.state}: {step}\n" in drawing
        assert f"| {' | '.join([state, *cells])} |\n" in page
    legal = sum(line.count("→") for line in page.splitlines())
    assert len(re.findall(r"--> \w+: (?:start_http|write|finish)\n", drawing)) == legal


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
    ours = page.partition("## Exceptions of polylambda")[2].partition("## ")[0]
    public = {
        name
        for name in polylambda.__all__
        if isinstance(each := getattr(polylambda, name), type) and issubclass(each, Exception)
    }
    assert set(re.findall(r"^\| `(\w+)` \| ", ours, re.MULTILINE)) == public - {"PolylambdaError"}
    for name, told in re.findall(r"^\| `(\w+)` \| .* \| `([\w.]+)` \|$", ours, re.MULTILINE):
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
