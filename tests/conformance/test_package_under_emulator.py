"""What `polylambda package` makes, unpacked where Lambda puts it, and run by AWS's emulator; wheels for arm64 by their tags."""

from __future__ import annotations

import io
import json
import platform
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polylambda.package import archive, bundle, interpreters
from polylambda.package.build import Built, Kind, Order, build
from polylambda.package.dependencies import Dependencies
from polylambda.package.scripts import BOOTSTRAP, PYTHON_FOLDER, WRAPPER
from polylambda.package.target import Target, target_of
from scripts import conformance_tools, standalone_python
from tests.conformance.emulator import Emulator

APP = """
import os, sys
import pydantic_core
from typing import TypedDict

class Person(TypedDict):
    name: str

def handler(event: Person, context):
    print("hello from the function")
    return {
        "hello": event["name"],
        "from": [os.path.dirname(os.path.dirname(m.__file__)) for m in (pydantic_core, sys.modules["polylambda"])],
        "cwd": os.getcwd(),
        "prefix": sys.prefix,
        "stdlib": os.path.dirname(os.__file__),
        "writable": os.access(os.getcwd(), os.W_OK),
    }
"""
# What Lambda's own start of a Python runtime does with a wrapper.
MANAGED_RUNTIME = '#!/bin/sh\nexec "$AWS_LAMBDA_EXEC_WRAPPER" {python} /var/runtime/bootstrap.py\n'
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
EMULATED = """#!/bin/sh
exec /var/emulation/{qemu} -L /var/emulation/{sysroot} -0 "$0" "$0.emulated" "$@"
"""
THIS_MACHINES = "this machine's"
# Pythons that uv has, or `make interpreters` made; `make pytest` says which there are.
BUNDLED = [name for name in ELF_MACHINES if standalone_python.find(target_of("3.13", name).machine)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text("pydantic-core==2.41.5\npolylambda\n")
    return folder


@pytest.fixture
def target(function_python: str) -> Target:
    """The Python that functions have under the emulator, on this machine's C library."""
    found = interpreters.probe(Path(function_python))
    assert found is not None
    return replace(target_of(found.minor, found.machine), glibc=(2, 99))


def make(project: Path, kind: Kind, target: Target, name: str = "out", **options: Any) -> Built:
    dependencies = options.pop("dependencies", Dependencies(project / "requirements.txt"))
    handler = "" if kind is Kind.LAYER else "app.handler"
    order = Order(
        kind=kind,
        target=target,
        handler=handler,
        root=project,
        out=project.parent / name,
        dependencies=dependencies,
        **options,
    )
    return build(order, lambda _: None)


class OnLambda(Emulator):
    """The emulator around /var/task, and what is beside it in /var, as they are on Lambda."""

    def __init__(
        self,
        task: Path,
        variables: Mapping[str, str],
        *,
        runtime: str = "",
        layer: Path | None = None,
        slots: int | None = 2,
        emulated: str = "",
    ) -> None:
        start = ["sh", "-c", f'exec "$LAMBDA_TASK_ROOT/{BOOTSTRAP}"']
        super().__init__(start, max_concurrency=slots, env={"_HANDLER": "app.handler", **variables})
        self._task = task
        self._emulated = emulated
        self._layer = layer
        self._runtime = runtime

    def _write_task(self, var: Path) -> Path:
        if self._task.is_dir():
            subprocess.run(["cp", "-r", "--preserve=mode", self._task, var / "task"], check=True)
        else:
            archive.unpack(self._task, var / "task")
        if self._layer is not None:
            archive.unpack(self._layer, var / "opt")
        if self._runtime:
            (var / "runtime").mkdir()
            (var / "runtime" / "bootstrap").write_text(self._runtime)
            (var / "runtime" / "bootstrap").chmod(0o755)
        if self._emulated:
            _emulate(var, var / "task" / self._emulated)
        for folder in (var, *(path for path in var.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        return var / "task"


def _emulate(var: Path, program: Path) -> None:
    """Have a program for arm64 run by qemu, which the kernel would do by itself where it is set up for that."""
    shutil.copytree(standalone_python.QEMU.parent, var / "emulation", symlinks=True)
    program.rename(f"{program}.emulated")
    program.write_text(EMULATED.format(qemu=standalone_python.QEMU.name, sysroot=standalone_python.SYSROOT.name))
    program.chmod(0o755)


def answer(emulator: Emulator) -> dict[str, Any]:
    with emulator:
        result = emulator.invoke({"name": "Ada"})
        assert result.error_type is None, result.body
        emulator.wait_for_log("hello from the function")
        refused = emulator.invoke({"nome": "Ada"}).json()
    assert refused["errorType"] == "ValidationError"  # by msgspec, which is a dependency of polylambda's only
    told = result.json()
    assert told.pop("hello") == "Ada"
    assert told.pop("cwd") == "/var/task"
    assert told.pop("writable") is False
    return told


def test_zip_through_the_wrapper(project: Path, target: Target, function_python: str):
    built = make(project, Kind.ZIP, target, compile=True)
    runtime = MANAGED_RUNTIME.format(python=function_python)
    told = answer(OnLambda(built.order.out, {"AWS_LAMBDA_EXEC_WRAPPER": f"/var/task/{WRAPPER}"}, runtime=runtime))
    assert told["from"] == ["/var/task"] * 2


def test_zip_and_layer_through_the_layers_wrapper(project: Path, target: Target, function_python: str):
    bare = make(
        project, Kind.ZIP, target, "bare.zip", dependencies=Dependencies(project / "requirements.txt", own=False)
    )
    layer = make(project, Kind.LAYER, target, "layer.zip", dependencies=Dependencies())
    # The emulator has a view of /var of its own, so the layer is there and not in /opt.
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": f"/var/opt/{WRAPPER}"}
    runtime = MANAGED_RUNTIME.format(python=function_python)
    told = answer(OnLambda(bare.order.out, variables, runtime=runtime, layer=layer.order.out))
    assert told["from"] == ["/var/task", "/var/opt/python"]


def native() -> str:
    """This machine's architecture, as Lambda has it."""
    return target_of("3.13", platform.machine()).architecture


def runs_here(architecture: str) -> bool:
    return architecture == native() or (architecture == "arm64" and standalone_python.QEMU.exists())


@pytest.fixture
def bundle_of(target: Target, function_python: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Built]:
    """Make a bootstrap with uv's Python for an architecture, for Lambda's C library, or with this machine's Python.

    The byte code of a whole standard library takes longer than all the rest, so it is left out unless asked for.
    """

    def make_one(project: Path, which: str, name: str = "out", *, compiled: bool = False) -> Built:
        if not compiled:
            monkeypatch.setattr(bundle.compiling, "compile_all", lambda *_, **__: None)
        if which == THIS_MACHINES:
            return make(project, Kind.BOOTSTRAP, target, name, interpreter=Path(function_python))
        wanted = target_of("3.13", which)
        installed = standalone_python.find(wanted.machine)
        assert installed is not None
        monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(installed.parent))
        return make(project, Kind.BOOTSTRAP, wanted, name)

    return make_one


@pytest.mark.timeout(180)  # qemu is slow
@pytest.mark.parametrize("which", [*filter(runs_here, BUNDLED), THIS_MACHINES])
def test_bootstrap_with_its_own_python(project: Path, bundle_of: Callable[..., Built], which: str):
    emulated = which not in (native(), THIS_MACHINES)
    built = bundle_of(project, which, compiled=emulated)  # or qemu would have to compile it
    runtime = built.order.target.runtime
    told = answer(OnLambda(built.order.out, {}, emulated=f"{PYTHON_FOLDER}/bin/{runtime}" if emulated else ""))
    home = f"/var/task/{PYTHON_FOLDER}"
    assert told == {"from": ["/var/task"] * 2, "prefix": home, "stdlib": f"{home}/lib/{runtime}"}


def test_bootstrap_with_one_invocation_at_a_time(project: Path, bundle_of: Callable[..., Built]):
    built = bundle_of(project, native() if native() in BUNDLED else THIS_MACHINES)
    with OnLambda(built.order.out, {}, slots=None) as emulator:
        told = emulator.invoke({"name": "Ada"}).json()
    assert told["hello"] == "Ada"
    assert told["prefix"].endswith(f"/task/{PYTHON_FOLDER}")


@pytest.mark.parametrize("which", BUNDLED or [THIS_MACHINES])
def test_bootstrap_is_for_the_target_and_bytes_the_same(project: Path, bundle_of: Callable[..., Built], which: str):
    first, second = (bundle_of(project, which, name) for name in ("first.zip", "second.zip"))
    wanted = first.order.target
    binaries = check_contents(first, second)
    assert f"{PYTHON_FOLDER}/bin/{wanted.runtime}" in binaries
    for name, data in binaries.items():
        needed = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", data)}
        assert max(needed, default=(0, 0)) <= wanted.glibc, name


def test_image_as_its_dockerfile_says(project: Path, target: Target, function_python: str):
    out = make(project, Kind.IMAGE, target).order.out
    text = (out / "Dockerfile").read_text()
    function = text[text.rindex("FROM ") :]
    entrypoint, command = (json.loads(words[1]) for words in (
        re.search(r"^ENTRYPOINT (.*)$", function, re.MULTILINE),
        re.search(r"^CMD (.*)$", text, re.MULTILINE),
    ) if words)  # fmt: skip
    assert entrypoint[0] == "python"
    words = [function_python, *entrypoint[1:], *command]
    runtime = f"#!/bin/sh\nunset _HANDLER\nexec {' '.join(words)}\n"
    told = answer(OnLambda(out / "task", {}, runtime=runtime))
    assert told["from"] == ["/var/task"] * 2


def test_linter_of_dockerfiles(project: Path):
    out = make(project, Kind.IMAGE, target_of("3.13", "arm64"), dependencies=Dependencies()).order.out
    linter = conformance_tools.HADOLINT_PROGRAM
    if not linter.exists():
        pytest.fail(f"{linter} is missing: run `make tools`.", pytrace=False)
    done = subprocess.run([linter, out / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("architecture", ELF_MACHINES)
@pytest.mark.parametrize("kind", [Kind.ZIP, Kind.LAYER])
def test_wheels_are_for_the_target_and_bytes_the_same(project: Path, kind: Kind, architecture: str):
    """With 3.13, whatever Python this is."""
    requirements = Dependencies(project / "requirements.txt" if kind is Kind.ZIP else None)
    wanted = target_of("3.13", architecture)
    made = (make(project, kind, wanted, name, dependencies=requirements) for name in ("first.zip", "second.zip"))
    check_contents(*made)


def check_contents(first: Built, second: Built) -> dict[str, bytes]:
    """Look at an artifact's wheels' tags and its binaries, and whether it is the same twice; return the binaries."""
    wanted = first.order.target
    own = f"cp{wanted.python.replace('.', '')}-"
    data = first.order.out.read_bytes()
    assert data == second.order.out.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        tags = {
            name.split("/")[-2].split("-")[0]: set(re.findall(r"^Tag: (.*)$", file.read(name).decode(), re.MULTILINE))
            for name in file.namelist()
            if name.endswith(".dist-info/WHEEL")
        }
        binaries = {name: file.read(name) for name in file.namelist() if re.search(r"\.so[.\d]*$|/bin/python3", name)}
    assert set(tags) >= {"msgspec", "polylambda"}
    assert binaries
    for name, found in tags.items():
        platforms = {tag.rpartition("-")[2] for tag in found}
        assert platforms == {"any"} or all(platform.endswith(f"_{wanted.machine}") for platform in platforms), name
        assert all(tag.startswith((own, "py3-", "py2")) or "-abi3-" in tag for tag in found), name
    for name, content in binaries.items():
        assert content[:4] == b"\x7fELF", name
        assert struct.unpack_from("<H", content, 18)[0] == ELF_MACHINES[wanted.architecture], name
    return binaries
