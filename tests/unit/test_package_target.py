from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.package.label import FILE, Label, read_label
from polylambda.package.manifest import read_manifest
from polylambda.package.target import Target, target_of

# Target


@pytest.mark.parametrize("python", ["3.13", "python3.13"])
@pytest.mark.parametrize(("said", "name", "machine"), [("x86_64", "x86_64", "x86_64"), ("aarch64", "arm64", "aarch64")])
def test_target(python: str, said: str, name: str, machine: str):
    target = target_of(python, said)
    assert target == Target("3.13", name, (2, 34))
    assert (target.runtime, target.platform) == ("python3.13", f"{machine}-manylinux_2_34")


def test_older_system_of_older_runtime():
    assert target_of("3.11", "arm64").platform == "aarch64-manylinux2014"
    assert target_of("3.11", "arm64", own_system=True).platform == "aarch64-manylinux_2_34"


@pytest.mark.parametrize("python", ["3.10", "2.7", "3", "3.13.1", "", "4.0"])
def test_no_such_python(python: str):
    with pytest.raises(ConfigurationError, match=f"--python is '{python}': it takes 3.11 or newer"):
        target_of(python, "x86_64")


def test_newer_than_any_runtime():
    with pytest.raises(
        ConfigurationError, match=r"--python is '3\.99', and Lambda's newest runtime is python3\.\d+: .*boot"
    ):
        target_of("3.99", "x86_64")
    assert target_of("3.99", "x86_64", own_system=True).python == "3.99"


def test_no_such_architecture():
    with pytest.raises(ConfigurationError, match="--arch is 'mips': Lambda has x86_64 and arm64"):
        target_of("3.13", "mips")


# Manifest


def test_empty_folder(tmp_path: Path):
    manifest = read_manifest(tmp_path)
    assert (manifest.handler, manifest.python, manifest.architecture) == ("", "3.13", "x86_64")
    assert (manifest.name, manifest.event, manifest.requirements) == (tmp_path.name, None, None)


def test_usual_files(tmp_path: Path):
    for name in ("app.py", "event.json", "requirements.txt"):
        (tmp_path / name).touch()
    manifest = read_manifest(tmp_path)
    assert manifest.handler == "app.handler"
    assert manifest.event == tmp_path / "event.json"
    assert manifest.requirements == tmp_path / "requirements.txt"


def test_what_pyproject_says(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("""
[project]
name = "shop"
dependencies = ["httpx"]
[tool.polylambda]
handler = "shop.app.main"
python = "3.14"
architecture = "arm64"
event = "events/order.json"
""")
    manifest = read_manifest(tmp_path)
    assert (manifest.name, manifest.handler) == ("shop", "shop.app.main")
    assert (manifest.python, manifest.architecture) == ("3.14", "arm64")
    assert manifest.event == tmp_path / "events" / "order.json"
    assert manifest.requirements == tmp_path / "pyproject.toml"


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["uv.lock", "requirements.txt"], "uv.lock"),
        (["requirements.txt"], "requirements.txt"),
        ([], "pyproject.toml"),
    ],
)
def test_where_requirements_are(tmp_path: Path, files: list[str], chosen: str):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\ndynamic = ["dependencies"]\n')
    for name in files:
        (tmp_path / name).touch()
    assert read_manifest(tmp_path).requirements == tmp_path / chosen


@pytest.mark.parametrize(
    ("files", "unread"),
    [
        (
            {"requirements.txt": "", "pyproject.toml": '[project]\ndependencies = ["six"]'},
            ("[project] of pyproject.toml",),
        ),
        (
            {"uv.lock": "", "requirements.txt": "", "pyproject.toml": '[project]\ndependencies = ["six"]'},
            ("requirements.txt",),
        ),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\npython = "3"\nsix = "*"'},
            ("[tool.poetry.dependencies] of pyproject.toml",),
        ),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "3"', "requirements.txt": ""}, ()),
        ({"pyproject.toml": '[project]\ndependencies = ["six"]'}, ()),
    ],
)
def test_dependencies_that_are_not_read(tmp_path: Path, files: dict[str, str], unread: tuple[str, ...]):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_manifest(tmp_path).unread == unread


def test_pyproject_that_is_no_toml(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml cannot be read"):
        read_manifest(tmp_path)


def test_value_that_is_no_text(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.polylambda]\npython = 3.13\n")
    with pytest.raises(
        ConfigurationError, match=r"python in \[tool\.polylambda\] of pyproject\.toml is 3\.13: it must be"
    ):
        read_manifest(tmp_path)


# Label


def test_label_is_read_as_it_was_written(tmp_path: Path):
    assert read_label(tmp_path) is None
    label = Label("zip", "app.handler", "3.13", "arm64", wrapper=False)
    label.write(tmp_path)
    assert read_label(tmp_path) == label


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "zip"}', '{"other": 1}'])
def test_label_that_somebody_else_wrote(tmp_path: Path, text: str):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigurationError, match="is not what `polylambda package` wrote"):
        read_label(tmp_path)
