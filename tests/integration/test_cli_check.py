"""`polylambda check`, as a person, a pipeline and `polylambda dev` use it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import polylambda.check.static
import polylambda.cli.check
from polylambda import cli
from polylambda.cli.check import telling_findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.static import StaticOptions

APP = """\
import os
import time

import store

TOTALS = {}


async def handler(event, context):
    TOTALS[event["id"]] = event
    time.sleep(0.1)
    store.keep(event)
    return len(TOTALS)
"""
STORE = """\
def keep(event):
    with open("/tmp/order.json", "w") as file:
        file.write(event["id"])
"""
SAFE = "def handler(event, context):\n    return event\n"
FOUND = [("app.py", 10, "LMI101"), ("app.py", 11, "ASYNC251"), ("store.py", 2, "LMI201"), ("store.py", 2, "LMI302")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("polylambda.cli.check._PATIENCE", 60)  # for machines that are slow today
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "store.py").write_text(STORE)
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]):
    """Run the command, and return its exit status, what it printed, and what it said on stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["check", *arguments])
        return (status, *capsys.readouterr())

    return run


def places(printed: str) -> list[tuple[str, int, str]]:
    return [(each["path"], each["line"], each["rule"]) for each in json.loads(printed)["findings"]]


def edit(file: Path, line: int, comment: str) -> None:
    lines = file.read_text().splitlines()
    lines[line - 1] += f"  {comment}"
    file.write_text("\n".join(lines) + "\n")


def test_a_handler(check: Any):
    status, printed, said = check("app.handler", "--format", "json")
    assert (status, places(printed), said) == (1, FOUND, "")
    [written] = [each for each in json.loads(printed)["findings"] if each["rule"] == "LMI201"]
    assert written["trail"][-1] == {"function": "handler", "path": "app.py", "line": 12}


@pytest.mark.parametrize("target", [[], ["."], ["app.py"], ["app"], ["app.handler", "app.py"]])
def test_other_ways_to_name_it(check: Any, target: list[str]):
    status, printed, _ = check(*target, "--format", "json")
    assert (status, places(printed)) == (1, FOUND)


def test_text_is_for_people(check: Any):
    status, printed, _ = check("app.handler")
    assert status == 1
    assert '    10 | TOTALS[event["id"]] = event\n' in printed
    assert "4 findings in 2 files; 2 files read" in printed.splitlines()[-1]
    assert printed.count("more: polylambda check --explain LMI101\n") == 1


def test_what_takes_long_is_told(check: Any, monkeypatch: pytest.MonkeyPatch):
    told = threading.Event()
    monkeypatch.setattr("polylambda.cli.check._PATIENCE", 0)
    tell = polylambda.cli.check._tell
    monkeypatch.setattr("polylambda.cli.check._tell", lambda text: (tell(text), told.set()))
    read = polylambda.check.static.check
    monkeypatch.setattr("polylambda.check.static.check", lambda options: (told.wait(30), read(options))[1])
    status, _, said = check("app.handler", "--format", "json")
    assert (status, said) == (1, "polylambda: reading app.handler ...\n")


def test_nothing_is_found(check: Any, folder: Path):
    (folder / "app.py").write_text(SAFE)
    status, printed, _ = check("app.handler")
    assert status == 0
    assert printed.startswith("no findings; 1 file read")
    assert printed.count("\n") == 1


def test_how_much_was_followed_is_told(check: Any, monkeypatch: pytest.MonkeyPatch):
    read = polylambda.check.static.check

    def following(count: int) -> Callable[[StaticOptions], SimpleNamespace]:
        return lambda options: SimpleNamespace(**{**vars(read(options)), "findings": (), "files": 2, "followed": count})

    monkeypatch.setattr("polylambda.check.static.check", following(2))
    assert check("app.handler")[1] == "no findings; 2 files read; 1 handler, 2 functions followed\n"
    monkeypatch.setattr("polylambda.check.static.check", following(0))
    status, printed, said = check("app.handler")
    assert (status, said) == (0, "")
    nothing = "no function was followed, so that no findings is no news"
    assert printed.startswith(f"problem: {nothing}: ")
    assert printed.endswith("1 handler, 0 functions followed; 1 problem\n")
    for chosen in ("json", "sarif", "github"):
        assert nothing in check("app.handler", "--format", chosen)[1]


def test_mode(check: Any):
    _, printed, _ = check("app.handler", "--format", "json", "--mode", "process")
    assert places(printed) == [("store.py", 2, "LMI201")]


def test_rules_may_be_chosen(check: Any):
    assert places(check("--format", "json", "--select", "LMI1,ASYNC")[1]) == FOUND[:2]
    assert (
        places(check("--format", "json", "--select", "LMI", "--ignore", "LMI2", "--ignore", "LMI302")[1]) == FOUND[:1]
    )


def test_the_project_says_which(check: Any, folder: Path):
    (folder / "pyproject.toml").write_text('[tool.polylambda.check]\nignore = ["LMI3", "ASYNC"]\nmode = "thread"\n')
    assert places(check("--format", "json")[1]) == [FOUND[0], FOUND[2]]
    assert places(check("--format", "json", "--mode", "process")[1]) == [FOUND[2]]
    assert places(check("--format", "json", "--ignore", "LMI2")[1]) == [FOUND[0]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('selct = ["LMI1"]', "has 'selct'"),
        ('mode = "fast"', "must be one of task, thread, process"),
        ('select = "LMI1"', "must be a list"),
        ("baseline = 3", "must be the name of a file"),
        ('ignore = ["XYZ"]', "no rule 'XYZ'"),
        ("[", "cannot be read"),
    ],
)
def test_the_project_says_nonsense(check: Any, folder: Path, table: str, message: str):
    (folder / "pyproject.toml").write_text(f"[tool.polylambda.check]\n{table}\n")
    status, printed, said = check()
    assert (status, printed) == (2, "")
    assert message in said


def test_suppression(check: Any, folder: Path):
    edit(folder / "app.py", 10, "# polylambda: ignore[LMI101] -- one id, one event")
    edit(folder / "store.py", 2, "# polylambda: ignore[LMI201, LMI302]")
    edit(folder / "app.py", 11, "# noqa: ASYNC251")
    status, printed, _ = check("--format", "json")
    assert (status, places(printed)) == (1, [("store.py", 2, "LMI001")])
    assert json.loads(printed)["suppressed"] == 4


def test_suppression_of_nothing(check: Any, folder: Path):
    edit(folder / "app.py", 1, "# polylambda: ignore[LMI202] -- an import does not")
    edit(folder / "app.py", 2, "# polylambda: ignore[RUN101] -- seen when it runs")
    assert places(check("--format", "json")[1]) == [("app.py", 1, "LMI002"), *FOUND]
    assert places(check("--format", "json", "app.handler")[1]) == FOUND  # the rest of app.py may need it
    assert places(check("--format", "json", "--ignore", "LMI002")[1]) == FOUND


def test_baseline(check: Any, folder: Path):
    status, printed, said = check("--baseline", "known.json", "--write-baseline")
    assert (status, printed, said) == (0, "", "polylambda: 4 findings are known from now on, in known.json\n")
    status, printed, _ = check("--baseline", "known.json")
    assert status == 0
    assert printed.startswith("no findings; 2 files read; ")
    assert printed.endswith("4 in the baseline\n")
    (folder / "app.py").write_text("import json\n" + APP.replace("time.sleep(0.1)", "os.chdir('/')"))
    status, printed, _ = check("--baseline", "known.json")
    assert status == 1
    assert "gone from app.py: ASYNC251" in printed
    assert "1 finding in 1 file; 2 files read; " in printed
    assert printed.endswith("3 in the baseline\n")
    (folder / "pyproject.toml").write_text('[tool.polylambda.check]\nbaseline = "known.json"\n')
    assert places(check("--format", "json")[1]) == [("app.py", 12, "LMI202")]


def test_a_file_that_cannot_be_parsed(check: Any, folder: Path):
    (folder / "broken.py").write_text("def handler(:\n")
    status, printed, said = check("--format", "json")
    assert (status, places(printed)) == (1, FOUND)
    [problem] = json.loads(printed)["problems"]
    assert problem.startswith("broken.py")
    assert f"polylambda: {problem}\n" in said
    assert "::warning title=polylambda check::broken.py" in check("--format", "github")[1]
    _, printed, said = check()
    assert f"problem: {problem}\n" in printed
    assert said == ""


def test_other_formats(check: Any):
    status, printed, _ = check("--format", "sarif")
    assert status == 1
    assert [each["ruleId"] for each in json.loads(printed)["runs"][0]["results"]] == [rule for _, _, rule in FOUND]
    status, printed, _ = check("--format", "github")
    assert status == 1
    assert printed.count("::error file=") == len(FOUND)


def test_what_was_read_is_kept(check: Any, folder: Path):
    check()
    assert (folder / ".polylambda" / "check" / ".gitignore").read_text() == "*\n"
    assert places(check("--format", "json")[1]) == FOUND


def test_nothing_is_kept(check: Any, folder: Path):
    check("--no-cache")
    assert not (folder / ".polylambda").exists()


def test_rules_are_told(check: Any):
    status, printed, _ = check("--list-rules")
    assert status == 0
    assert printed.startswith("LMI101   task, thread ")
    status, printed, _ = check("--explain", "LMI101")
    assert status == 0
    assert printed.startswith("LMI101  module-global-written\n")
    assert check("--explain", "lmi101") == (0, printed, "")
    assert places(check("--select", "lmi1", "--format", "json")[1]) == FOUND[:1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.handler"], "'nowhere.handler'"),
        (["app.nobody"], "'nobody'"),
        (["store.py"], "no handler in"),
        (["--select", "LMI9"], "no rule 'LMI9'"),
        (["--explain", "LMI9"], "no rule 'LMI9'"),
        (["--baseline", "none.json"], "no baseline 'none.json'"),
        (["--write-baseline"], "--write-baseline needs the file"),
        (["--event", "{}"], "--event is for --run"),
        (["--seed", "7"], "--seed is for --run"),
        (["--concurrency", "8"], "--concurrency is for --run"),
        (["--invocations", "64", "--stall", "5"], "--invocations, --stall are for --run"),
        ([""], "a target is empty"),
        (["app.handler", " "], "a target is empty"),
        (["--run", "", "--event", "{}"], "a target is empty"),
        (["--run", "app.handler"], "--run needs events"),
        (["--run", "--event", "{}"], "--run takes one handler"),
        (["--format", "xml"], "format"),
    ],
)
def test_mistakes(check: Any, arguments: list[str], message: str):
    status, printed, said = check(*arguments)
    assert (status, printed) == (2, "")
    assert message in said
    assert said.startswith("polylambda: ")
    assert said.count("\n") == 1


LEAKS = """\
import asyncio

last = {}


async def handler(event, context):
    last["name"] = event["name"]
    await asyncio.sleep(0)
    return {"hello": last["name"]}
"""


def test_run(check: Any, folder: Path):
    (folder / "app.py").write_text(LEAKS)
    (folder / "event.json").write_text('{"name": "world"}')
    arguments = [
        "--run",
        "app.handler",
        "--event",
        "event.json",
        "--seed",
        "7",
        "--invocations",
        "16",
        "--format",
        "json",
    ]
    status, printed, said = check(*arguments)
    assert status == 1
    assert "RUN101" in [rule for _, _, rule in places(printed)]
    assert "seed 7" in said
    again = json.loads(printed)["reproduce"]
    assert again.startswith("polylambda check --run app.handler --event event.json")
    assert "--seed 7" in again


def test_json_is_all_there_is_on_standard_output():
    command = [sys.executable, "-c", "import sys; from polylambda.cli import main; sys.exit(main())", "check"]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, check=False, timeout=50)
    assert done.returncode == 1
    assert places(done.stdout.decode()) == FOUND


def told_at_start(capsys: pytest.CaptureFixture[str], target: str) -> list[str]:
    with telling_findings(target):
        pass
    printed, said = capsys.readouterr()
    assert printed == ""
    return said.splitlines()


def test_findings_at_start(capsys: pytest.CaptureFixture[str]):
    *lines, last = told_at_start(capsys, "app.handler")
    assert [line.split()[:2] for line in lines] == [[f"{path}:{line}:", rule] for path, line, rule in FOUND]
    assert "polylambda check app.handler" in last


def test_findings_at_start_are_few(capsys: pytest.CaptureFixture[str], folder: Path):
    writes = "".join(f"    TOTALS[{number}] = event\n" for number in range(20))
    (folder / "app.py").write_text(f"TOTALS = {{}}\n\n\nasync def handler(event, context):\n{writes}")
    lines = told_at_start(capsys, "app.handler")
    assert len(lines) == 6
    assert lines[-1].startswith("20 findings in all: polylambda check app.handler tells")


def test_what_goes_wrong_at_start_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def fail(options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("polylambda.check.static.check", fail)
    [line] = told_at_start(capsys, "app.handler")
    assert line.startswith("polylambda: could not check the source of app.handler: RuntimeError; ")
    assert line.endswith("polylambda check app.handler tells more")


def test_what_cannot_be_read_at_start_is_told(capsys: pytest.CaptureFixture[str], folder: Path):
    [line] = told_at_start(capsys, "nowhere.handler")
    assert line.startswith("polylambda: could not check the source of nowhere.handler: there is no ")
    (folder / "store.py").write_text("def (")
    line, *findings = told_at_start(capsys, "app.handler")
    assert line.startswith("polylambda: could not check all of the source of app.handler: store.py")
    assert "app.py:10: LMI101" in findings[0]
    (folder / "app.py").write_text("def (")
    [line] = told_at_start(capsys, "app.handler")
    assert line.startswith("polylambda: could not check the source of app.handler: ")


def test_nothing_to_tell_at_start(capsys: pytest.CaptureFixture[str], folder: Path):
    (folder / "app.py").write_text(SAFE)
    assert told_at_start(capsys, "app.handler") == []
