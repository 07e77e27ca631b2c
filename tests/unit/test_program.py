"""Taking a command line apart, so that the same program can be started again by the same interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import polylambda
from polylambda.errors import ConfigurationError
from polylambda.runtime import program
from polylambda.runtime.program import run_program, split, start_over
from polylambda.settings import Settings

COMMAND_LINES: list[tuple[list[str], list[str], list[str]]] = [
    ([], [], []),
    (["app.py"], [], ["app.py"]),
    (["app.py", "-m", "x", "-c", "y"], [], ["app.py", "-m", "x", "-c", "y"]),
    (["-m", "app", "--flag"], [], ["-m", "app", "--flag"]),
    (["-mapp", "--flag"], [], ["-m", "app", "--flag"]),
    (["-m", "polylambda", "app.handler"], [], ["-m", "polylambda", "app.handler"]),
    (["-c", "print()", "x"], [], ["-c", "print()", "x"]),
    (["-cprint()"], [], ["-cprint()"]),
    (["-"], [], ["-"]),
    (["-", "x"], [], ["-", "x"]),
    (["-u", "app.py"], ["-u"], ["app.py"]),
    (["-OO", "-B", "-m", "app"], ["-OO", "-B"], ["-m", "app"]),
    (["-W", "error", "app.py"], ["-W", "error"], ["app.py"]),
    (["-Werror", "app.py"], ["-Werror"], ["app.py"]),
    (["-X", "dev", "-X", "importtime", "app.py"], ["-X", "dev", "-X", "importtime"], ["app.py"]),
    (["-Xdev", "-m", "app"], ["-Xdev"], ["-m", "app"]),
    (["-X", "-m", "app.py"], ["-X", "-m"], ["app.py"]),
    (["--check-hash-based-pycs", "never", "app.py"], ["--check-hash-based-pycs", "never"], ["app.py"]),
    (["-I", "-S", "-E", "-s", "-q", "-v", "-b", "-d", "-i", "-P", "-x", "app.py"], list("ISEsqvbdiPx"), ["app.py"]),
    (["-u"], ["-u"], []),
]


@pytest.mark.parametrize(("arguments", "flags", "rest"), COMMAND_LINES, ids=lambda value: " ".join(value) or "nothing")
def test_the_interpreters_options_and_what_follows(arguments: list[str], flags: list[str], rest: list[str]) -> None:
    flags = [flag if flag.startswith("-") or len(flag) > 1 else f"-{flag}" for flag in flags]
    assert split(["python", *arguments]) == (flags, rest)


OPTIONS = [
    ["-u", "-B"],
    ["-W", "ignore"],
    ["-Wignore", "-Xutf8"],
    ["-X", "utf8", "-O"],
    ["--check-hash-based-pycs", "never", "-s"],
    ["-bb", "-P"],
    ["-BE"],
    ["-Es"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("form", ["script", "-m", "-mmodule"])
def test_the_interpreter_itself_takes_a_command_line_apart_the_same_way(
    tmp_path: Path, options: list[str], form: str
) -> None:
    (tmp_path / "tell.py").write_text("import sys; print(sys.orig_argv[1:], sys.argv[1:], sep='\\n')")
    words = {"script": [str(tmp_path / "tell.py")], "-m": ["-m", "tell"], "-mmodule": ["-mtell"]}[form]
    env = {"PYTHONPATH": str(tmp_path)} if not any("E" in option for option in options) else {}
    told = subprocess.run(
        [sys.executable, *options, *words, "-m", "x"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    ).stdout.splitlines()
    orig, argv = (eval(line) for line in told)  # it is our own

    flags, rest = split(["python", *orig])

    assert flags == options
    assert rest[-2:] == argv == ["-m", "x"]
    assert rest[:-2] == (words if form != "-mmodule" else ["-m", "tell"])


@pytest.mark.parametrize(
    "argv",
    [["python", "-c", "print()"], ["python", "-cprint()"], ["python", "-"], ["python"], ["python", "-u"]],
    ids=" ".join,
)
def test_a_program_without_a_file_cannot_be_started_again(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setattr(sys, "orig_argv", argv)
    monkeypatch.setattr(program.os, "execve", lambda *how: pytest.fail("it was"))

    with pytest.raises(
        ConfigurationError, match="process mode starts this program in several processes, so it must be"
    ):
        start_over("process", Settings({}))


@pytest.mark.parametrize(
    ("argv", "started"),
    [
        (["py", "-u", "app.py", "x"], ["py", "-u", "-m", "polylambda.runtime.program", "app.py", "x"]),
        (["py", "-m", "app", "x"], ["py", "-m", "polylambda.runtime.program", "-m", "app", "x"]),
        (["py", "-mapp"], ["py", "-m", "polylambda.runtime.program", "-m", "app"]),
        (["py", "-X", "dev", "-m", "polylambda", "a.b"], ["py", "-X", "dev", "-m", "polylambda", "a.b"]),
    ],
)
def test_the_program_is_started_again_below_a_supervisor(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], started: list[str]
) -> None:
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(sys, "orig_argv", argv)
    monkeypatch.setattr(program.os, "execve", lambda *how: calls.append(how))
    monkeypatch.setenv("COLOUR", "blue")

    start_over("hybrid", Settings({}))

    ((executable, words, variables),) = calls
    assert (executable, words) == (sys.executable, started)
    assert variables["AWS_LAMBDA_CONCURRENCY_MODE"] == "hybrid"
    assert variables["COLOUR"] == "blue"
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in variables


TELL = "import sys; print(__name__, __file__, sys.argv, sys.path[0], sep='|')"


@pytest.mark.parametrize("form", ["script", "module", "package"])
def test_a_program_runs_as_the_interpreter_would_have_run_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    (tmp_path / "told.py").write_text(TELL)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__main__.py").write_text(TELL)
    words = {"script": [str(tmp_path / "told.py")], "module": ["-m", "told"], "package": ["-m", "pack"]}[form] + ["x"]
    direct = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env={}, capture_output=True, check=True, text=True, timeout=50
    )
    monkeypatch.setattr(sys, "argv", ["changed"])
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    run_program(words)

    assert capsys.readouterr().out == direct.stdout


@pytest.mark.parametrize("options", [[], ["-P"]], ids=["as usual", "safe path"])
def test_a_script_finds_modules_where_the_interpreter_would_have_found_them(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "told.py").write_text("import sys; print(__file__, sys.path)")
    run = "import sys; from polylambda.runtime.program import run_program; run_program(sys.argv[1:])"
    direct, ours = (
        subprocess.run(
            [sys.executable, *options, *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(polylambda.__file__).parents[1])},
            capture_output=True,
            check=True,
            text=True,
            timeout=50,
        ).stdout
        for words in (["told.py"], ["-c", run, "told.py"])
    )

    assert ours == direct
