"""`polylambda init`: new projects pass their own tests at once, and do what the screen says comes next."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from polylambda.cli import main
from polylambda.errors import ConfigurationError
from polylambda.package import project
from tests.integration.transcript import PLAIN_PYTEST, Terminal, steps_of

ROOT = Path(__file__).parent.parent.parent
FILES = {
    *(".gitignore", "Makefile", "README.md", "app.py", "local.mk", "managed.yaml", "pyproject.toml"),
    *("requirements-dev.txt", "requirements.txt", "template.yaml", "tests/test_app.py"),
}


def lent(folder: Path) -> Path:
    """Give a project the environment of these tests, so that nothing needs to be installed into its own."""
    environment = folder / ".venv"
    environment.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (environment / name).symlink_to(Path(sys.prefix, name))
    (environment / "made").touch()
    return folder


def make(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **PLAIN_PYTEST, **variables}
    # Of the `make` that runs these tests:
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        environ.pop(name, None)
    return subprocess.run(
        ["make", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("kind", project.KINDS)
def test_a_new_project(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "My shop"
    assert main(["init", kind, str(folder)]) == 0
    shown = capsys.readouterr().out
    assert project.KINDS[kind].about in shown
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written >= FILES
    assert any(name.startswith("events/") for name in written)
    assert all(f"  {name}\n" in shown for name in written)
    texts = {name: (folder / name).read_text() for name in written}
    assert not [name for name, text in texts.items() if "{{" in text]
    assert [name for name, text in texts.items() if str(ROOT) in text or sys.executable in text] == ["local.mk"]
    assert "/local.mk" in texts[".gitignore"].splitlines()
    assert "STACK ?= my-shop\n" in texts["Makefile"]

    done = make(lent(folder), "test", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "no findings" in done.stdout


@pytest.mark.parametrize("kind", project.KINDS)
def test_its_readme(kind: str, tmp_path: Path):
    """What it says about running locally works, with the command that `make run` shows."""
    folder = tmp_path / "shop"
    project.create(kind, folder)
    (run,) = re.findall(r"^\t\.venv/bin/(polylambda dev .*)$", (folder / "Makefile").read_text(), re.MULTILINE)
    readme = (folder / "README.md").read_text()
    section = readme.partition("## Run locally")[2].partition("\n## ")[0]
    expected = {
        "hello": ['{"greeting":"Bonjour Ada!"}'],
        "streaming": ["3\n2\n1\ngo", "5\n4\n3\n2\n1\ngo"],
        "background": ['{"id":"...","status":"accepted"}'],
        "web": ['{"hello":"world"}', '{"item":"tea","count":1}', "3\n2\n1\ngo"],
    }[kind]
    with Terminal(folder) as terminal:
        (served,) = steps_of(f"$ {run}")
        terminal.run(served)
        _, *requests = steps_of("\n".join(re.findall(r"^\$ .*$", section, re.MULTILINE)))
        assert len(requests) == len(expected)
        for step, output in zip(requests, expected, strict=True):
            step.output = output.splitlines()
            terminal.run(step)


def test_package_and_deploy(tmp_path: Path):
    """`make package` makes what the templates name, tried; `make deploy` shows and runs the SAM CLI."""
    folder = tmp_path / "shop"
    project.create("hello", folder)
    sam = tmp_path / "bin" / "sam"
    sam.parent.mkdir()
    sam.write_text('#!/bin/sh\necho "sam got: $*"\n')
    sam.chmod(0o755)
    path = f"{sam.parent}{os.pathsep}{os.environ['PATH']}"
    done = make(lent(folder), "deploy", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"greeting":"Bonjour Ada!"}' in done.stdout
    command = "deploy --template-file template.yaml --stack-name shop --resolve-s3 --capabilities CAPABILITY_IAM"
    assert f"\nsam {command}\nsam got: {command}\n" in done.stdout
    with zipfile.ZipFile(folder / "build" / "function.zip") as package:
        own = {name for name in package.namelist() if not name.startswith(("polylambda/", "msgspec"))}
    assert own >= {"app.py", "polylambda-wrapper"}
    assert not [name for name in own if name.startswith(("tests/", "template", "Makefile", "local.mk"))]

    network = ("SUBNETS=subnet-1,subnet-2", "SECURITY_GROUPS=sg-1")
    done = make(folder, "--dry-run", "deploy-managed", *network, PATH=path)
    assert "--parameter-overrides Subnets=subnet-1,subnet-2 SecurityGroups=sg-1" in done.stdout


def test_deploy_says_what_is_missing(tmp_path: Path):
    folder = tmp_path / "shop"
    project.create("hello", folder)
    text = (
        (folder / "Makefile").read_text().replace("deploy: package", "deploy:").replace("managed: package", "managed:")
    )
    (folder / "Makefile").write_text(text)
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    for program in ("make", "sh", "test"):
        (nowhere / program).symlink_to(Path("/usr/bin", program))
    assert "there is no sam on this machine" in make(folder, "deploy", PATH=str(nowhere)).stderr
    (nowhere / "sam").symlink_to("/usr/bin/true")
    assert "name your network" in make(folder, "deploy-managed", PATH=str(nowhere)).stderr


@pytest.mark.timeout(300)
def test_on_a_clean_machine(tmp_path: Path):
    """`polylambda init web myapp && cd myapp && make test && polylambda package --check`, with nothing prepared."""
    commands = (
        "polylambda init web myapp && cd myapp && make test && polylambda package --check --event events/index.json"
    )
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", commands], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert '{"hello":"world"}' in done.stdout
    assert (tmp_path / "myapp" / ".venv" / "made").exists()


# What `make` installs, and from where; uv and Python are stand-ins here


def stand_in(folder: Path, name: str, script: str) -> Path:
    """A program of a name, made of a few lines for sh."""
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A project at a colleague's, where git brought no local.mk."""
    folder = tmp_path / "shop"
    project.create("hello", folder)
    (folder / "local.mk").unlink()
    return folder


def test_a_colleague_is_told_how_to_say_where_polylambda_is(elsewhere: Path, tmp_path: Path):
    uv = stand_in(tmp_path, "bin/uv", 'mkdir -p .venv; [ "$1" = venv ] || { echo "polylambda was not found"; exit 1; }')
    words = (".venv/made", f"UV={uv}", f"PYTHON={sys.executable}")
    done = make(elsewhere, *words)
    assert done.returncode != 0
    advice = 'say where it is, as in make test POLYLAMBDA_FROM="@ file:///home/me/polylambda".'
    assert advice in done.stderr
    done = make(elsewhere, *words, "POLYLAMBDA_FROM=@ file:///somewhere")
    assert done.returncode != 0
    assert advice not in done.stderr


@pytest.mark.parametrize(
    ("source", "variables", "refreshed"),
    [
        ("@ file:///somewhere", {}, True),
        ("@ file:///somewhere", {"UV_OFFLINE": "1"}, False),
        ("@ file:///somewhere", {"UV_OFFLINE": "0"}, True),
        ("@ git+https://example.com/polylambda.git", {}, False),
        ("", {}, False),
    ],
)
def test_a_folder_is_built_anew(
    source: str, variables: dict[str, str], refreshed: bool, elsewhere: Path, tmp_path: Path
):
    """It may have changed; to ask uv for that is an error where it may not use the network."""
    uv = stand_in(tmp_path, "bin/uv", 'mkdir -p .venv; echo "uv got: $*"')
    words = (f"UV={uv}", f"PYTHON={sys.executable}", f"POLYLAMBDA_FROM={source}")
    done = make(elsewhere, ".venv/made", *words, **variables)
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"^uv got: pip .*$", done.stdout, re.MULTILINE)
    assert ("--refresh-package polylambda" in command) == refreshed
    assert command.endswith(f" polylambda {source} -r requirements-dev.txt")


def test_an_old_python_is_refused(elsewhere: Path, tmp_path: Path):
    old = stand_in(tmp_path, "bin/python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    done = make(elsewhere, "test", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"error: polylambda needs Python 3.11 or newer, and {old} is Python 3.9.2: name a newer one" in done.stderr
    assert not (elsewhere / ".venv").exists()
    assert "error: there is no python4 here: install Python 3.11" in make(elsewhere, "test", "PYTHON=python4").stderr


# What is refused


def test_a_folder_with_files_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "app.py").write_text("mine")
    assert main(["init", "hello", str(tmp_path)]) == 2
    assert f"{tmp_path} has files in it: name an empty folder" in capsys.readouterr().err
    assert (tmp_path / "app.py").read_text() == "mine"
    assert main(["init", "hello", str(tmp_path / "app.py")]) == 2
    assert "app.py is a file" in capsys.readouterr().err


def test_an_unknown_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["init", "shop", str(tmp_path / "shop")]) == 2
    assert '"hello", "streaming", "background", "web"' in capsys.readouterr().err
    assert not (tmp_path / "shop").exists()
    with pytest.raises(ConfigurationError, match="choose one of hello, streaming, background, web"):
        project.create("shop", tmp_path / "shop")


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").touch()
    assert main(["init", "hello", str(tmp_path / "file" / "shop")]) == 2
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_an_empty_folder_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "hello", "."]) == 0
    assert "cd " not in capsys.readouterr().out
    assert (tmp_path / "app.py").exists()


# Names, and where polylambda comes from


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("myapp", "myapp"),
        ("My_App 2", "my-app-2"),
        ("2nd", "function-2nd"),
        ("日本", "function"),
        ("a" * 200, "a" * 100),
    ],
)
def test_names_are_such_as_cloudformation_takes(folder: str, name: str):
    assert project.name_of(Path(folder)) == name


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, ""),
        ({"url": "file:///", "dir_info": {"editable": True}}, "@ file:///"),
        ({"url": "file:///gone/polylambda-0.1.0-py3-none-any.whl", "archive_info": {}}, ""),
        (
            {"url": "https://example.com/polylambda.git", "vcs_info": {"vcs": "git", "commit_id": "4f3a"}},
            "@ git+https://example.com/polylambda.git@4f3a",
        ),
    ],
)
def test_where_polylambda_comes_from(origin: Any, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed = importlib.metadata.PathDistribution(tmp_path)
    if origin is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: installed)
    assert project.source_of_polylambda() == source
