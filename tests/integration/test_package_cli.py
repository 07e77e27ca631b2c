"""`polylambda package`, as a person and a shell script use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from polylambda.cli import main
from polylambda.package import interpreters
from polylambda.package.label import FILE
from polylambda.package.scripts import WRAPPER

CHECKOUT = Path(__file__).parents[2]
PACKAGE = [sys.executable, "-c", "import sys; from polylambda.cli import main; sys.exit(main())", "package"]
HERE = "{}.{}".format(*sys.version_info)

APP = """
import asyncio, os, sys, time
from typing import TypedDict

class Order(TypedDict):
    do: str

def handler(event: Order, context):
    print("a line of log")
    if event["do"] == "raise":
        raise ValueError("no good")
    if event["do"] == "exit":
        os._exit(4)
    if event["do"] == "sleep":
        time.sleep(60)
    if event["do"] == "import":
        import yaml
    if event["do"] == "write":
        with open("cache.txt", "w") as file:
            file.write("on Lambda this fails")
    return {"path": sorted(os.environ), "packages": "site-packages" in str(sys.modules["polylambda"].__file__)}
"""

HTTP = """
import json

async def handler(event, response, context):
    if event["way"] == "result":
        return await response.finish(json.dumps({"statusCode": event["status"], "body": "hello"}))
    response.start_http(event["status"])
    await response.write("hello\\n")
    await response.finish()
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OF_THIS_MACHINE", "1")
    (folder / "app.py").write_text(APP)
    (folder / "pyproject.toml").write_text(
        f'[tool.polylambda]\npython = "{HERE}"\narchitecture = "{os.uname().machine}"\n'
    )
    return folder


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def package(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, which is faster."""

    def run(*arguments: str) -> Done:
        return Done(main(["package", *arguments]), *capfd.readouterr())

    return run


@pytest.fixture
def check(package: Run) -> Run:
    return lambda *arguments: package("--check", *arguments)


def names(archive: str) -> set[str]:
    with zipfile.ZipFile(archive) as file:
        return set(file.namelist())


def test_built_and_told_of(package: Run, project: Path):
    (project / "requirements.txt").write_text("polylambda[asgi]\nsix==1.17.0\n")
    (project / "test_app.py").touch()
    done = package()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(
        rf"build/function\.zip: zip for Python {HERE} on \w+, [\d.]+ MiB, [\d.]+ MiB unpacked", lines[0]
    )
    assert any(re.fullmatch(r" +[\d.]+ KiB  six 1\.17\.0", line) for line in lines)
    assert any(line.startswith("  aws lambda create-function --function-name shop ") for line in lines)
    assert "resolving requirements.txt" in done.stderr
    found = names("build/function.zip")
    assert found >= {"app.py", "six.py", "mangum/__init__.py", "polylambda/__main__.py", WRAPPER, FILE}
    assert not found & {"test_app.py", "requirements.txt", "pyproject.toml"}
    assert not any(name.startswith("polylambda/cli") or "direct_url" in name for name in found)


def test_other_commands_start_without_it():
    program = (
        "import sys, polylambda.cli.package; print([name for name in sys.modules if 'polylambda.package' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['polylambda.package', 'polylambda.package.kind']\n"


def test_dry_run_writes_nothing(package: Run, project: Path):
    done = package("--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nothing was written; it would be build/function.zip")
    assert sorted(path.name for path in project.iterdir()) == ["app.py", "pyproject.toml"]


def test_byte_code_and_the_same_bytes(package: Run, project: Path):
    for name in ("first.zip", "second.zip"):
        assert package("--compile", "-o", name).returncode == 0
    assert Path("first.zip").read_bytes() == Path("second.zip").read_bytes()
    assert f"__pycache__/app.{sys.implementation.cache_tag}.pyc" in names("first.zip")
    assert not any(name.endswith(".zip") for name in names("second.zip"))


def test_locked_versions(package: Run, project: Path):
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">={HERE}"\ndependencies = ["six<1.17"]\n'
    )
    uv = [sys.executable, "-m", "uv", "lock", "--quiet", "--python", sys.executable]
    subprocess.run(uv, check=True, timeout=50)
    (project / "requirements.txt").write_text("six==1.17.0\n")  # not asked: the lock file is
    done = package("--python", HERE)
    assert done.returncode == 0, done.stderr
    assert "six 1.16.0" in done.stdout


def test_lock_file_that_is_out_of_date(package: Run, project: Path):
    text = (
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">={HERE}"\ndependencies = ["polylambda", "six"]\n'
    )
    source = f'[tool.uv.sources]\npolylambda = {{path = "{CHECKOUT}"}}\n'
    (project / "pyproject.toml").write_text(text + source)
    uv = [sys.executable, "-m", "uv", "lock", "--quiet", "--python", sys.executable]
    subprocess.run(uv, check=True, timeout=50)
    done = package("--python", HERE)
    assert done.returncode == 0, done.stderr
    assert "six 1" in done.stdout
    (project / "pyproject.toml").write_text(text.replace('"six"', '"six<1.17"') + source)
    done = package("--python", HERE)
    assert done.returncode == 2
    assert "uv.lock does not have what pyproject.toml names by now: bring it up to date with uv lock" in done.stderr


@pytest.mark.parametrize("requirement", [f"polylambda[asgi] @ {CHECKOUT.as_uri()}", "-r {folder}/base.txt"])
def test_polylambda_from_a_path(package: Run, project: Path, requirement: str):
    (project / "base.txt").write_text(f"polylambda[asgi] @ {CHECKOUT.as_uri()}\n")
    (project / "requirements.txt").write_text(requirement.format(folder=project))
    done = package("-o", "a.zip")
    assert done.returncode == 0, done.stderr
    assert {"mangum/__init__.py", "polylambda/__main__.py"} <= names("a.zip")
    assert not any(name.startswith("polylambda/cli") for name in names("a.zip"))


def test_polylambda_from_a_path_that_uv_has_not_looked_into(
    package: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    (project / "requirements.txt").write_text(f"polylambda[asgi] @ {CHECKOUT.as_uri()}\n")
    done = package("-o", "a.zip")
    assert done.returncode == 0, done.stderr
    assert "mangum/__init__.py" in names("a.zip")


def test_polylambda_from_a_path_in_pyproject(package: Run, project: Path):
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\ndependencies = ["polylambda[asgi]"]\n'
        f'[tool.uv.sources]\npolylambda = {{path = "{CHECKOUT}", editable = true}}\n'
    )
    assert package("--python", HERE, "-o", "a.zip").returncode == 0
    assert {"mangum/__init__.py", "polylambda/__main__.py"} <= names("a.zip")


def test_link_in_a_nested_requirements_file(package: Run, project: Path):
    (project / "base.txt").write_text("-e ./library\n")
    (project / "requirements.txt").write_text("-r base.txt\n")
    done = package()
    assert done.returncode == 2
    assert "base.txt has '-e ./library', a link to a folder of this machine" in done.stderr


def test_dependencies_of_poetry(package: Run, project: Path):
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.poetry.dependencies]\nsix = "*"\n')
    done = package()
    assert done.returncode == 2
    assert "dependencies are in [tool.poetry.dependencies] of pyproject.toml, which is not read" in done.stderr
    (project / "requirements.txt").write_text("six==1.17.0\n")
    assert "The dependencies are those of requirements.txt; [tool.poetry" in package("--dry-run").stdout


def test_hash_of_everything(package: Run, project: Path):
    (project / "requirements.txt").write_text(
        "--require-hashes\nsix==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"
    )
    assert "requires a hash of everything, and has none of msgspec" in package().stderr
    assert package("--no-wrapper").returncode == 0


def test_without_what_lambda_has(package: Run, project: Path):
    (project / "requirements.txt").write_text("python-dateutil==2.9.0.post0\n")
    done = package("--without", "six")
    assert done.returncode == 0, done.stderr
    assert "python_dateutil 2.9.0.post0" in done.stdout
    assert "six" not in done.stdout


def test_package_that_has_no_wheel(package: Run, project: Path):
    (project / "requirements.txt").write_text("docopt==0.6.2\n")
    done = package()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("polylambda: docopt==0.6.2 has no wheel for Python ")


def test_package_that_may_be_built_here(package: Run, project: Path):
    (project / "requirements.txt").write_text("docopt==0.6.2\n")
    done = package("--from-source", "docopt", "-o", "a.zip")
    assert done.returncode == 0, done.stderr
    assert "docopt.py" in names("a.zip")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.handler"], "there is no module 'missing' for the handler 'missing.handler'"),
        (["--python", "3.9"], "--python is '3.9'"),
        (["--arch", "mips"], "--arch is 'mips'"),
        (["--requirements", "none.txt"], "there is no file none.txt"),
        (
            ["--kind", "image", "--python", "3.97", "--compile"],
            "--compile needs Python 3.97 on this machine, which has none",
        ),
        (["--python", "3.99", "--no-wrapper", "--dry-run"], "--python is '3.99', and Lambda's newest runtime is"),
        (["--check", "--dry-run"], "--check runs what --dry-run does not make"),
        (["-o", "app.py"], "-o is 'app.py', where there is something that `polylambda package` did not make"),
        (["--event", "{}"], "--event is for --check"),
        (["--kind", "image", "--no-wrapper"], "--no-wrapper is for --kind zip, with a layer"),
        (["--interpreter", "python3"], "--interpreter is for --kind bootstrap"),
        (["--check", "none.zip"], "there is no none.zip: make it with"),
        (["--check", "--event", "none.json"], "there is no event file none.json"),
    ],
)
def test_what_is_refused(package: Run, arguments: list[str], message: str):
    done = package(*arguments)
    assert done.returncode == 2
    assert f"polylambda: {message}" in done.stderr


# --check


def test_started_and_answered(check: Run):
    done = check("--event", '{"do": ""}')
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert not answer["packages"]
    assert "OF_THIS_MACHINE" not in answer["path"]
    assert {"LAMBDA_TASK_ROOT", "AWS_LAMBDA_EXEC_WRAPPER", "AWS_EXECUTION_ENV", "_HANDLER"} <= set(answer["path"])
    assert "a line of log" in done.stderr
    assert f"it started and answered, on Python {HERE}." in done.stderr
    assert not Path("build").exists()


def test_only_started_without_an_event(check: Run):
    done = check()
    assert (done.returncode, done.stdout) == (0, "")
    assert "it started, on Python" in done.stderr


def test_usual_event(check: Run, project: Path):
    (project / "event.json").write_text('{"do": ""}')
    assert json.loads(check().stdout)


def test_module_that_is_not_in_it(check: Run, project: Path):
    (project / "app.py").write_text("import yaml\ndef handler(event, context): pass\n")
    done = check()
    assert done.returncode == 3
    assert "Runtime.ImportModuleError: Unable to import module 'app': No module named 'yaml'" in done.stderr
    assert "yaml is not in the package: add PyYAML, which has it here, to requirements.txt" in done.stderr


def test_variables_and_lambdas_own_boto3(check: Run, project: Path):
    (project / "app.py").write_text(
        "import os\nimport boto3\ndef handler(event, context): return [boto3.client('s3').meta.region_name, os.environ['TABLE']]\n"
    )
    (project / "local.env").write_text("TABLE=orders\n")
    done = check("--env-file", "local.env", "--event", "{}")
    assert (done.returncode, done.stdout) == (0, '["us-east-1","orders"]\n'), done.stderr
    assert "which stands for Lambda's own" in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    (folder / "app.py").write_text(APP)
    command = [*PACKAGE, "--python", HERE, "--arch", os.uname().machine]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "build" / "function.zip"


@pytest.mark.parametrize(
    ("do", "status", "message"),
    [
        ("raise", 1, "ValueError: no good"),
        ("import", 1, "yaml is not in the package: add PyYAML"),
        ("write", 1, "it wrote task/cache.txt, and on Lambda only /tmp can be written to"),
        ("exit", 3, "Runtime exited with error: exit status 4"),
        ("sleep", 3, "Sandbox.Timedout: Task timed out after 3.00 seconds"),
    ],
)
def test_what_fails(check: Run, built: Path, do: str, status: int, message: str):
    done = check(str(built), "--event", json.dumps({"do": do}), "--timeout", "3")
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert "polylambda/" not in done.stderr  # frames of ours


def test_layer_and_what_goes_without(package: Run, check: Run, project: Path):
    assert package("--kind", "layer").returncode == 0
    assert package("--no-wrapper").returncode == 0
    assert names("build/function.zip") == {"app.py", FILE}
    alone = check("build/function.zip")
    assert alone.returncode == 2
    assert f"there is no {WRAPPER} in it" in alone.stderr
    layer_alone = check("build/layer.zip")
    assert layer_alone.returncode == 2
    assert "build/layer.zip is a layer, which runs with a function only" in layer_alone.stderr
    done = check("build/function.zip", "--layer", "build/layer.zip", "--event", '{"do": ""}')
    assert done.returncode == 0, done.stderr


def test_what_can_be_tried_here(check: Run, project: Path, monkeypatch: pytest.MonkeyPatch):
    find = interpreters.find
    monkeypatch.setattr(interpreters, "find", lambda minor: None if minor == "3.14" else find(minor))
    other = "arm64" if os.uname().machine == "x86_64" else "x86_64"
    (project / "pyproject.toml").write_text(f'[tool.polylambda]\npython = "3.14"\narchitecture = "{other}"\n')
    done = check("--event", '{"do": ""}')
    assert done.returncode == 0, done.stderr
    assert f"so it is made for that, and not for {other}" in done.stderr
    assert f"this machine has no Python 3.14, so it is made for the {HERE} that is here" in done.stderr


def test_artifact_for_another_machine(check: Run):
    other = "arm64" if os.uname().machine == "x86_64" else "x86_64"
    done = check("--arch", other)
    assert done.returncode == 2
    assert f"the artifact is for Linux on {other}, and this machine is " in done.stderr


def test_image(package: Run, check: Run, project: Path):
    assert package("--kind", "image").returncode == 0
    assert {path.name for path in (project / "build" / "image").iterdir()} == {"Dockerfile", ".dockerignore", "task"}
    done = check("build/image", "--event", '{"do": ""}')
    assert done.returncode == 0, done.stderr
    assert "_HANDLER" not in json.loads(done.stdout)["path"]


def test_image_where_something_else_is(package: Run, project: Path):
    (project / "task").mkdir()
    for name in ("Dockerfile", "task/a.py"):
        (project / name).write_text("mine")
    for out in (".", "task"):
        assert package("--kind", "image", "-o", out).returncode == 2
    assert [(project / name).read_text() for name in ("Dockerfile", "task/a.py")] == ["mine", "mine"]


def test_image_is_not_in_the_next(package: Run, project: Path):
    for out in ("image", "other"):
        assert package("--kind", "image", "-o", out).returncode == 0
    assert not (project / "other" / "task" / "image").exists()


@pytest.mark.parametrize("do", ["", "raise"])
def test_what_to_do_next_is_said_after_the_check(check: Run, do: str):
    done = check("-o", "a.zip", "--event", json.dumps({"do": do}))
    said = done.stderr.find("aws lambda create-function")
    assert (said > done.stderr.find("it started and answered") > 0) if not do else said == -1


def test_artifact_that_something_else_made(check: Run, project: Path, built: Path, tmp_path: Path):
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(built) as file:
        file.extractall(folder)
    (folder / FILE).unlink()
    (folder / WRAPPER).chmod(0o755)
    done = check(str(folder), "--event", '{"do": ""}')
    assert done.returncode == 0, done.stderr
    (project / "app.py").rename(project / "other.py")
    assert "nobody says which handler to run" in check(str(folder)).stderr


@pytest.mark.parametrize(("status", "code"), [(404, 0), (500, 1)])
@pytest.mark.parametrize("way", ["prelude", "result"])
def test_what_an_http_caller_gets(built: Path, tmp_path: Path, check: Run, way: str, status: int, code: int):
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(built) as file:
        file.extractall(folder)
    (folder / WRAPPER).chmod(0o755)
    (folder / "app.py").write_text(HTTP)
    done = check(str(folder), "--event", json.dumps({"way": way, "status": status}))
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("hello\n" if way == "prelude" else '{"statusCode": ')
    assert f"HTTP {status}\n" in done.stderr


# A Python of uv's, and one for another machine


@pytest.mark.parametrize(
    ("variable", "place"), [("UV_PYTHON_INSTALL_DIR", "cpython-3.99.1-linux"), ("PYENV_ROOT", "versions/3.99.1")]
)
def test_python_where_a_variable_has_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, place: str):
    facts = json.dumps(
        {
            **dict.fromkeys(("executable", "prefix", "stdlib"), "/somewhere"),
            "version": "3.99.1",
            "minor": "3.99",
            "system": "linux",
            "machine": "x86_64",
            "usable": True,
        }
    )
    program = tmp_path / place / "bin" / "python3"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{facts}'\n")
    program.chmod(0o755)
    assert interpreters.find("3.99") is None
    monkeypatch.setenv(variable, str(tmp_path))
    found = interpreters.find("3.99")
    assert found is not None
    assert found.version == "3.99.1"


def test_bootstrap_with_a_python_that_uv_has(
    package: Run, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    pythons = tmp_path / "pythons"
    installed = pythons / f"cpython-{HERE}.99-linux-aarch64-gnu"
    for other in (f"{HERE}.98", f"{HERE}.100+freethreaded", f"{HERE}.0a1"):
        (pythons / f"cpython-{other}-linux-aarch64-gnu").mkdir(parents=True)
    for name in (f"bin/python{HERE}", f"lib/python{HERE}/os.py", f"lib/python{HERE}/test/test_os.py"):
        (installed / name).parent.mkdir(parents=True, exist_ok=True)
        (installed / name).write_text("")
    (installed / f"bin/python{HERE}").write_bytes(f"\0libpython{HERE}.so.1.0\0".encode())
    (installed / f"lib/libpython{HERE}.so.1.0").touch()
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(pythons))
    done = package("--kind", "bootstrap", "--arch", "arm64")
    assert done.returncode == 0, done.stderr
    assert "aws lambda create-function --function-name shop --runtime provided.al2023" in done.stdout
    python = {name for name in names("build/bootstrap.zip") if name.startswith("polylambda-python/")}
    tag = sys.implementation.cache_tag
    assert python == {
        f"polylambda-python/bin/python{HERE}",
        f"polylambda-python/lib/libpython{HERE}.so.1.0",
        f"polylambda-python/lib/python{HERE}/os.py",
        f"polylambda-python/lib/python{HERE}/__pycache__/os.{tag}.pyc",
    }
