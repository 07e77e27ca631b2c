"""What may be named, which handlers are found in it, and in which mode they are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.check.finding import Mode
from polylambda.check.static import StaticOptions, check, linter
from polylambda.errors import ConfigurationError

APP = "def handler(event, context): ...\n"


@pytest.fixture(autouse=True)
def without_ruff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linter, "_ask", lambda files: {file: [] for file in files})


def write(root: Path, **sources: str) -> None:
    for name, source in sources.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


@pytest.mark.parametrize(
    "target", ["shop.app.handler", "shop/app.handler", "shop.app", "shop/app.py", "shop", ".", "./shop"]
)
def test_a_handler_a_module_a_file_and_a_folder_may_be_named(tmp_path: Path, target: str) -> None:
    write(tmp_path, shop__app=APP)
    found = check(StaticOptions((target,), tmp_path)).handlers
    assert [(each.path, each.line) for each in found] == [("shop/app.py", 1)]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere", "there is no file, folder or module 'nowhere'"),
        ("nowhere.py", "there is no file 'nowhere.py'"),
        ("shop.app.missing", "there is no 'missing' in shop/app.py"),
        ("shop/empty.py", "there is no handler in 'shop/empty.py'"),
        ("shop/broken.py", "shop/broken.py cannot be parsed"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, target: str, said: str) -> None:
    write(tmp_path, shop__app=APP, shop__empty="x = 1\n", shop__broken="(")
    with pytest.raises(ConfigurationError, match="^" + said.replace(".", r"\.")):
        check(StaticOptions((target,), tmp_path))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (APP, "handler"),
        ("def lambda_handler(event, context): ...\n", "lambda_handler"),
        ("def orders_handler(event, context): ...\n", "orders_handler"),
        ("def queue(event, context): ...\n", "queue"),
        ("def place(order: Order, context: LambdaContext): ...\n", "place"),
        ("class Place:\n    def handle(self, event, context): ...\nhandler = Place()\n", "handler"),
        ("from polylambda import LambdaRuntime\ndef go(event): ...\nLambdaRuntime(go).run()\n", "go"),
        ("from mangum import Mangum\nfrom web import app\nhandler = Mangum(app)\n", "handler"),
        ("def make(x):\n    return lambda event, context: x\nhandler = make(1)\n", "handler"),
    ],
)
def test_handlers_are_recognised(tmp_path: Path, source: str, name: str) -> None:
    write(tmp_path, app=source, web="from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef root(): ...\n")
    assert name in [each.name.rpartition(".")[2] for each in check(StaticOptions(("app.py",), tmp_path)).handlers]


@pytest.mark.parametrize(
    ("source", "mode"),
    [
        (APP, Mode.THREAD),
        ("async def handler(event, context): ...\n", Mode.TASK),
        ("class H:\n    async def handle(self, event, context): ...\nhandler = H()\n", Mode.TASK),
        (
            "from polylambda import LambdaManagedRuntime\nasync def f(e, c): ...\nhandler = LambdaManagedRuntime(f)\n",
            Mode.TASK,
        ),
        (
            "from fastapi import FastAPI\nfrom polylambda.asgi import handler as asgi\nhandler = asgi(FastAPI())\n",
            Mode.TASK,
        ),
    ],
)
def test_the_mode_is_the_handlers_own(tmp_path: Path, source: str, mode: Mode) -> None:
    write(tmp_path, app=source)
    assert [each.mode for each in check(StaticOptions(("app.handler",), tmp_path)).handlers] == [mode]
    chosen = check(StaticOptions(("app.handler",), tmp_path, Mode.PROCESS))
    assert [each.mode for each in chosen.handlers] == [Mode.PROCESS]


def test_handlers_of_both_kinds_are_checked_each_in_its_mode(tmp_path: Path) -> None:
    body = "    global seen\n    seen = event['id']\n    time.sleep(1)\n"
    write(
        tmp_path,
        first=f"import time\nseen = None\ndef handler(event, context):\n{body}",
        second=f"import time\nseen = None\nasync def handler(event, context):\n{body}",
    )
    found = check(StaticOptions((".",), tmp_path)).findings
    assert [(each.path, each.line, each.rule) for each in found] == [
        ("first.py", 5, "LMI101"),
        ("second.py", 5, "LMI101"),
        ("second.py", 6, "ASYNC251"),
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"def handler(", "bad.py cannot be parsed: '(' was never closed, line 1"),
        (b"name = '\xe9'", "bad.py cannot be parsed: (unicode error)"),
        (b"#" * 1_000_001, "bad.py is not checked: it has more than a million bytes"),
    ],
)
@pytest.mark.parametrize("target", ["bad.handler", "bad.py", "bad"])
def test_it_is_said_why_a_file_cannot_be_checked(tmp_path: Path, source: bytes, said: str, target: str) -> None:
    (tmp_path / "bad.py").write_bytes(source)
    with pytest.raises(ConfigurationError) as raised:
        check(StaticOptions((target,), tmp_path))
    assert str(raised.value).startswith(said)


def test_an_object_without_a_name_is_found_where_a_runtime_runs_it(tmp_path: Path) -> None:
    source = """
from polylambda import LambdaManagedRuntime

class Shop:
    async def handle(self, event, context):
        self.last = event

LambdaManagedRuntime(Shop()).run()
"""
    write(tmp_path, app=source)
    checked = check(StaticOptions(("app.py",), tmp_path))
    assert [(each.name, each.line, each.mode) for each in checked.handlers] == [("app.Shop", 8, Mode.TASK)]
    assert [(each.line, each.rule) for each in checked.findings] == [(6, "LMI106")]


def test_a_handler_that_leads_to_no_function_of_the_project_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, app="from elsewhere import Application\n\nhandler = Application()\n")
    checked = check(StaticOptions(("app.handler",), tmp_path))
    (problem,) = checked.problems
    assert problem.startswith("app.handler leads to no function of the project, so nothing was checked: ")
    assert checked.followed == 0
