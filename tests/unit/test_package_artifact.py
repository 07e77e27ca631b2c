"""What an artifact is made of: the wheel of polylambda, pruned wheels, entries, zip files; and what may be too large."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

import polylambda
from polylambda.errors import ConfigurationError
from polylambda.package import archive, limits, own, pruning, stage
from polylambda.package.kind import Kind
from polylambda.package.label import FILE
from polylambda.package.limits import MIB
from polylambda.package.output import check_output
from polylambda.package.stage import Weight


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


# The wheel of polylambda


def test_wheel_has_what_lambda_needs(tmp_path: Path):
    wheel = own.write_wheel(tmp_path)
    assert wheel.name == f"polylambda-{polylambda.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        record = file.read(f"polylambda-{polylambda.__version__}.dist-info/RECORD").decode()
    assert {"polylambda/__main__.py", "polylambda/runtime/managed.py", "polylambda/asgi/__init__.py"} <= set(names)
    tools = {"check", "cli", "local", "package", "plane", "server", "testing"}
    assert not {name.split("/")[1] for name in names} & tools
    assert [line.split(",")[0] for line in record.splitlines()] == names


def test_runtime_imports_nothing_that_the_wheel_lacks():
    """The contracts of the import linter say that the core never imports these."""
    package = Path(polylambda.__file__).parent
    assert {path.name for path in package.iterdir()} >= own.NOT_IN_LAMBDA


def test_wheel_is_the_same_every_time(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    assert own.write_wheel(first).read_bytes() == own.write_wheel(second).read_bytes()


# Pruning


def test_pruning(tmp_path: Path):
    kept = ["a/__init__.py", "a/test/__init__.py", "a/lib.so", "a-1.dist-info/METADATA", "bin/program"]
    junk = ["a/tests/test_a.py", "a/__pycache__/a.pyc", "a/__init__.pyi", "a/py.typed", "bin/script"]
    write(tmp_path, dict.fromkeys(kept + junk, ""))
    (tmp_path / "bin/script").write_text("#!/usr/bin/python\n")
    (tmp_path / "bin/program").write_bytes(b"\x7fELF")
    pruning.prune(tmp_path)
    assert [entry.name for entry in stage.entries_of(tmp_path)] == sorted(kept)


def test_scripts_alone_leave_no_folder(tmp_path: Path):
    write(tmp_path, {"bin/script": "#!/usr/bin/python\n"})
    pruning.prune(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_traces_of_this_machine(tmp_path: Path):
    info = "a-1.dist-info"
    write(
        tmp_path,
        {
            "a.py": "",
            f"{info}/METADATA": "",
            f"{info}/direct_url.json": '{"url": "file:///home/me"}',
            f"{info}/INSTALLER": "uv",
            f"{info}/RECORD": f"{info}/direct_url.json,x,1\n{info}/METADATA,,\na.py,x,0\na.pyi,x,0\n../../bin/a,,\n",
        },
    )
    pruning.remove_traces(tmp_path)
    assert [entry.name for entry in stage.entries_of(tmp_path)] == [f"{info}/METADATA", f"{info}/RECORD", "a.py"]
    assert (tmp_path / info / "RECORD").read_text() == f"{info}/METADATA,,\na.py,x,0\n"


# Entries and weights


def test_weights(tmp_path: Path):
    write(
        tmp_path,
        {
            "app.py": "1" * 10,
            "six.py": "1" * 100,
            "six-1.17.dist-info/RECORD": "six.py,,\nsix-1.17.dist-info/RECORD,,\n",
            "__pycache__/six.cpython-313.pyc": "1" * 1000,
            "python/lib/os.py": "1" * 5000,
        },
    )
    entries = stage.entries_of(tmp_path)
    record = (tmp_path / "six-1.17.dist-info/RECORD").stat().st_size
    assert stage.weights_of(tmp_path, entries, rest="your code", parts={"python": "Python"}) == [
        Weight("Python", 5000),
        Weight("six 1.17", 1100 + record),
        Weight("your code", 10),
    ]


def test_too_large_names_the_heaviest():
    weights = [Weight("torch 2", 200 * MIB), Weight("numpy 2", 60 * MIB), *[Weight(str(n), 1) for n in range(9)]]
    with pytest.raises(ConfigurationError) as refused:
        limits.check_unzipped(260 * MIB, weights)
    assert "260.0 MiB unpacked, and Lambda takes 250.0 MiB" in str(refused.value)
    assert "heaviest are torch 2 (200.0 MiB), numpy 2 (60.0 MiB)" in str(refused.value)
    assert "--kind image" in str(refused.value)
    limits.check_unzipped(250 * MIB, weights)


def test_own_code_that_is_too_large_names_its_files():
    weights, files = [Weight("your code", 300 * MIB)], [Weight("model.bin", 299 * MIB), Weight("app.py", MIB)]
    with pytest.raises(
        ConfigurationError, match=r"heaviest are your code \(300.*; of your code model\.bin \(299\.0 MiB\)"
    ):
        limits.check_unzipped(300 * MIB, weights, files)


def test_files_by_weight(tmp_path: Path):
    write(tmp_path, {"a.py": "1", "b.bin": "12", "six.py": "123"})
    assert stage.files_of(stage.entries_of(tmp_path), ["a.py", "b.bin"]) == [Weight("b.bin", 2), Weight("a.py", 1)]


def test_sizes_for_people():
    assert [limits.in_mib(size) for size in (0, 1024, MIB, 2 * MIB + MIB // 2)] == [
        "0.0 KiB",
        "1.0 KiB",
        "1.0 MiB",
        "2.5 MiB",
    ]


# Where it may be written


def place(tmp_path: Path, kind: Kind, name: str) -> None:
    check_output(kind, tmp_path / name, tmp_path / "project")


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing").touch()
    write(tmp_path, {f"image/task/{FILE}": "", "image/Dockerfile": "", "other/task/a.py": "", "other/Dockerfile": ""})
    write(tmp_path, {"app.py": "pass"})
    for name, content in {"ours.zip": FILE, "theirs.zip": "app.py"}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr(content, "")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((Kind.IMAGE, name) for name in ("new", "empty", "image")),
        *((Kind.ZIP, name) for name in ("new", "nothing", "ours.zip")),
    ],
)
def test_place_where_nothing_is_lost(places: Path, kind: Kind, name: str):
    place(places, kind, name)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Kind.IMAGE, "other", "did not make: remove it, or name another place, such as -o build/image"),
        (Kind.IMAGE, "project", "the folder with the project in it"),
        (Kind.IMAGE, "app.py", "which is a file, and image makes a folder"),
        (Kind.ZIP, "app.py", "did not make: remove it, or name another place, such as -o build/function.zip"),
        (Kind.ZIP, "theirs.zip", "did not make"),
        (Kind.LAYER, "empty", "which is a folder, and layer makes a file"),
    ],
)
def test_place_where_something_else_is(places: Path, kind: Kind, name: str, message: str):
    with pytest.raises(ConfigurationError, match=message):
        place(places, kind, name)


# Archives


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    folder = write(tmp_path / "stage", {"app.py": "pass", "b/data": "2", "bootstrap": "#!/bin/sh"})
    (folder / "bootstrap").chmod(0o700)
    (folder / "app.py").chmod(0o600)
    return folder


def test_same_bytes_whatever_the_times_and_modes(staged: Path, tmp_path: Path):
    first, second = tmp_path / "out" / "first.zip", tmp_path / "second.zip"
    size = archive.write_zip(stage.entries_of(staged), first)
    assert size == first.stat().st_size
    for path in staged.rglob("*"):
        os.utime(path, (1, 1))
    (staged / "app.py").chmod(0o664)
    archive.write_zip(stage.entries_of(staged), second)
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o644
    assert list(first.parent.iterdir()) == [first]


def test_modes_and_order_in_a_zip(staged: Path, tmp_path: Path):
    archive.write_zip(stage.entries_of(staged), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        modes = {info.filename: info.external_attr >> 16 for info in file.infolist()}
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert modes == {"app.py": 0o100644, "b/data": 0o100644, "bootstrap": 0o100755}
    assert list(modes) == sorted(modes)


def test_unpacked_as_it_was(staged: Path, tmp_path: Path):
    archive.write_zip(stage.entries_of(staged), tmp_path / "a.zip")
    archive.unpack(tmp_path / "a.zip", tmp_path / "task")
    archive.write_folder(stage.entries_of(staged), tmp_path / "folder")
    for folder in (tmp_path / "task", tmp_path / "folder"):
        found = {
            entry.name: (entry.size, stat.S_IMODE(entry.path.stat().st_mode)) for entry in stage.entries_of(folder)
        }
        assert found == {"app.py": (4, 0o644), "b/data": (1, 0o644), "bootstrap": (9, 0o755)}


def test_folder_is_replaced(staged: Path, tmp_path: Path):
    write(tmp_path / "out", {"left.py": ""})
    archive.write_folder(stage.entries_of(staged), tmp_path / "out")
    assert not (tmp_path / "out" / "left.py").exists()


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../b"])
def test_zip_that_leads_out(tmp_path: Path, name: str):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, "")
    with pytest.raises(ConfigurationError, match="leads out of it"):
        archive.unpack(tmp_path / "a.zip", tmp_path / "task")


def test_no_zip(tmp_path: Path):
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(ConfigurationError, match=r"a\.zip cannot be unpacked"):
        archive.unpack(tmp_path / "a.zip", tmp_path)


def test_nowhere_to_write(staged: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        archive.write_zip(stage.entries_of(staged), tmp_path / "file" / "a.zip")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        archive.write_folder(stage.entries_of(staged), tmp_path / "file" / "out")
