"""How functions are started, and what they find in their environment."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polylambda.plane.agent.command import CannotRun, Command, Commands, variables
from polylambda.plane.specs import EnvironmentSpec

OWN = f"python3.{sys.version_info[1]}"


def spec(code: Path, runtime: str = OWN, **options: Any) -> EnvironmentSpec:
    fields = {"id": "e1", "function_name": "f", "qualifier": "1", "handler": "app.handler", **options}
    return EnvironmentSpec(code=str(code), runtime=runtime, **fields)


def command(tmp_path: Path, wanted: EnvironmentSpec, path: str = "") -> Command:
    async def find() -> Command:
        commands = Commands(tmp_path, {"PATH": path})
        try:
            return await commands.command(wanted)
        finally:
            await commands.close()

    return asyncio.run(find())


def program(folder: Path, name: str, text: str, mode: int = 0o755) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(mode)


def test_the_plane_s_own_python(tmp_path: Path) -> None:
    assert command(tmp_path, spec(tmp_path)) == Command((sys.executable, "-m", "polylambda", "app.handler"))


def test_another_python_that_can_import_polylambda(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3.99", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    found = command(tmp_path, spec(tmp_path, "python3.99"), str(tmp_path / "bin"))
    assert found.words == (str(tmp_path / "bin" / "python3.99"), "-m", "polylambda", "app.handler")
    assert os.listdir(found.python_path) == ["polylambda"]
    assert found.note == ""


def test_another_python_that_cannot(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3.99", "#!/bin/sh\nexit 1\n")
    found = command(tmp_path, spec(tmp_path, "python3.99"), str(tmp_path / "bin"))
    assert found.words[0] == sys.executable
    assert "cannot import polylambda" in found.note
    assert OWN in found.note


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    found = command(tmp_path, spec(tmp_path, "python3.98"))
    assert found.words[0] == sys.executable
    assert "no python3.98" in found.note


def label(folder: Path, python: str = "3.99", **fields: Any) -> None:
    told = {"kind": "zip", "handler": "app.handler", "architecture": "x86_64", "wrapper": True, **fields}
    (folder / "polylambda-package.json").write_text(json.dumps({"python": python, **told}))


def test_a_package_of_ours_brings_the_runtime_and_its_wheels_along(tmp_path: Path) -> None:
    label(tmp_path, OWN.removeprefix("python"))
    found = command(tmp_path, spec(tmp_path))
    assert found.words[1:] == ("-m", "polylambda", "app.handler")
    assert found.python_path == str(tmp_path)
    probe = [
        found.words[0],
        "-c",
        "import sys; print('python%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)",
    ]
    assert subprocess.run(probe, capture_output=True, check=True, text=True).stdout.split() == [OWN, "True"]


def test_a_package_without_its_wrapper_does_not_bring_the_runtime(tmp_path: Path) -> None:
    label(tmp_path, OWN.removeprefix("python"), wrapper=False)
    assert command(tmp_path, spec(tmp_path)).python_path == ""


@pytest.mark.parametrize(
    ("runtime", "text", "message"),
    [
        ("python3.99", "", "which this machine does not have: uv python install 3.99"),
        (OWN, "", f"is for python3.99, and its runtime is {OWN}"),
        ("python3.99", "{", "make the artifact anew"),
    ],
)
def test_packages_that_do_not_run_here(tmp_path: Path, runtime: str, text: str, message: str) -> None:
    label(tmp_path)
    if text:
        (tmp_path / "polylambda-package.json").write_text(text)
    with pytest.raises(CannotRun, match=message):
        command(tmp_path, spec(tmp_path, runtime))


def test_a_wrapper(tmp_path: Path) -> None:
    found = command(tmp_path, spec(tmp_path, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}))
    assert found.words[:2] == ("/opt/wrap", sys.executable)


@pytest.mark.parametrize("folder", ["/var/task", "/opt"])
def test_our_own_wrapper_is_not_needed(tmp_path: Path, folder: str) -> None:
    found = command(tmp_path, spec(tmp_path, variables={"AWS_LAMBDA_EXEC_WRAPPER": f"{folder}/polylambda-wrapper"}))
    assert found.words[:3] == (sys.executable, "-m", "polylambda")


def test_a_bootstrap(tmp_path: Path) -> None:
    program(tmp_path, "bootstrap", "")
    assert command(tmp_path, spec(tmp_path, "provided.al2023")).words == (str(tmp_path / "bootstrap"),)


@pytest.mark.parametrize(
    ("runtime", "mode", "message"), [("provided.al2023", 0o644, "chmod 755"), ("java21", 0o755, "java21 does not run")]
)
def test_what_does_not_run(tmp_path: Path, runtime: str, mode: int, message: str) -> None:
    program(tmp_path, "bootstrap", "", mode)
    with pytest.raises(CannotRun, match=message) as error:
        command(tmp_path, spec(tmp_path, runtime))
    assert error.value.error_type == "Runtime.InvalidEntrypoint"


def test_code_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="no such folder") as error:
        command(tmp_path, spec(tmp_path / "missing"))
    assert error.value.error_type == "Runtime.InvalidWorkingDir"


def test_variables(tmp_path: Path) -> None:
    inherited = {"PATH": "/bin", "SECRET_OF_THE_PLANE": "x", "AWS_ACCESS_KEY_ID": "key", "LANG": "C"}
    wanted = spec(tmp_path, variables={"COLOUR": "blue", "LANG": "de_DE", "TMPDIR": "/mine", "POLYLAMBDA_PLANE": "no"})
    marks = {"POLYLAMBDA_PLANE": "token"}
    environ = variables(wanted, Command(()), inherited=inherited, folder=tmp_path, marks=marks)
    assert environ == {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "HOME": str(tmp_path / "tmp"),
        "TMPDIR": "/mine",
        "LANG": "de_DE",
        "COLOUR": "blue",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{OWN}",
        "POLYLAMBDA_PLANE": "token",
    }
    wanted = spec(tmp_path, "provided.al2023", application_log_level="WARN")
    environ = variables(wanted, Command((), "/p"), inherited={}, folder=tmp_path, marks=marks)
    assert environ["AWS_LAMBDA_LOG_LEVEL"] == "WARN"
    assert "AWS_EXECUTION_ENV" not in environ
    assert environ["PYTHONPATH"] == "/p"


def test_the_developer_s_aws_files_are_found_from_another_home(tmp_path: Path) -> None:
    aws = tmp_path / ".aws"
    aws.mkdir()
    (aws / "config").touch()
    (aws / "credentials").touch()
    inherited = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": "/elsewhere"}
    environ = variables(spec(tmp_path), Command(()), inherited=inherited, folder=tmp_path, marks={})
    assert environ["HOME"] == str(tmp_path / "tmp")
    assert environ["AWS_CONFIG_FILE"] == "/elsewhere"
    assert environ["AWS_SHARED_CREDENTIALS_FILE"] == str(aws / "credentials")
