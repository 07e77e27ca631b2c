from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.package.label import FILE, TASK_FOLDER
from polylambda.package.sources import code_root, copy_sources, source_files

BELONGS = [
    "app.py",
    "assets/fonts.zip",
    "assets/x.mk",
    "data/prices.csv",
    "events/__init__.py",
    "events/more/order.json",
    "requirements_dir/a.txt",
    "shop/__init__.py",
    "shop/build/plan.py",
    "shop/view.html",
]
DOES_NOT = [
    *("pyproject.toml", "requirements-dev.txt", "uv.lock", "Makefile", "local.mk", "README.md", "template.yaml"),
    *("managed.yaml", "event.json", "events/order.json", "function.zip", "build/function.zip", "dist/a.whl"),
    *("tests/test_app.py", "shop/tests/data.json", "test_app.py", "shop/view_test.py", "conftest.py"),
    *(".env", ".venv/bin/python", "shop/.hidden", "shop/__pycache__/a.pyc", "shop.egg-info/PKG-INFO"),
    *("node_modules/x.js", "environment/pyvenv.cfg", "environment/lib/site.py"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in BELONGS + DOES_NOT:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(root: Path, **options: list[str]) -> list[str]:
    return [str(path) for path in source_files(root, **options)]


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", root, *words], check=True, capture_output=True)


def test_what_belongs(project: Path):
    assert names(project) == sorted(BELONGS)


def test_the_same_where_there_is_git(project: Path):
    git(project, "init")
    # git knows nothing of virtual environments, so a .gitignore does
    (project / ".gitignore").write_text("environment/\n")
    assert names(project) == sorted(BELONGS)


def test_what_git_ignores(project: Path):
    git(project, "init")
    (project / ".gitignore").write_text("data/\n")
    assert "data/prices.csv" not in names(project)
    git(project, "add", "--force", "data/prices.csv")
    assert "data/prices.csv" in names(project)


def test_deleted_file_that_git_still_knows(project: Path):
    git(project, "init")
    git(project, "add", "shop/view.html")
    (project / "shop/view.html").unlink()
    assert "shop/view.html" not in names(project)


@pytest.mark.parametrize("pattern", ["data", "data/", "data/*.csv", "*.csv", "prices.csv"])
def test_exclude(project: Path, pattern: str):
    assert names(project, exclude=[pattern]) == sorted(set(BELONGS) - {"data/prices.csv"})


@pytest.mark.parametrize("pattern", ["tests", "tests/*", "test_app.py"])
def test_include_wins(project: Path, pattern: str):
    assert "tests/test_app.py" in names(project, include=[pattern], exclude=["*.py"])


def test_include_of_what_is_ignored_and_hidden(project: Path):
    git(project, "init")
    (project / ".gitignore").write_text("*\n")
    assert names(project, include=[".env", "shop"]) == [
        *(".env", "shop/.hidden", "shop/__init__.py", "shop/build/plan.py", "shop/tests/data.json"),
        *("shop/view.html", "shop/view_test.py"),
    ]


def test_environment_file_is_taken_by_its_name_only(project: Path):
    assert ".env" not in names(project, include=["*", ".env*", ".*"])
    assert ".env" in names(project, include=[".env"])


def test_what_looks_like_a_secret(project: Path):
    for name in ("prod.env", "shop/tls.key", "ca.pem"):
        (project / name).touch()
    remarks: list[str] = []
    source_files(project, exclude=["ca.pem"], remark=remarks.append)
    assert [remark.partition(" is in it and looks like a secret")[0] for remark in remarks] == [
        "prod.env",
        "shop/tls.key",
    ]
    assert "--exclude prod.env" in remarks[0]


def test_what_is_ignored_without_a_repository(project: Path):
    (project / ".gitignore").write_text("/data\nshop/*.html\n")
    assert names(project) == sorted(set(BELONGS) - {"data/prices.csv", "shop/view.html"})
    found = source_files(project / "shop", project=project)
    assert [str(path) for path in found] == ["__init__.py"]


def test_git_that_fails(project: Path):
    (project / ".git").mkdir()
    (project / ".gitignore").write_text("data/\n")
    with pytest.raises(ConfigurationError, match=r"git says 'fatal: not a git repository.*without \.git"):
        names(project)


def test_git_that_is_not_installed(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert names(project) == sorted(BELONGS)
    (project / ".gitignore").write_text("data/\n")
    with pytest.raises(ConfigurationError, match="git cannot be run"):
        names(project)


@pytest.mark.parametrize("repository", [True, False])
def test_links_that_lead_nowhere_and_back(project: Path, repository: bool):
    if repository:
        git(project, "init")
    (project / ".gitignore").write_text("data/\nenvironment/\n")
    (project / "gone").symlink_to("nowhere")
    (project / "loop").symlink_to(".")
    remarks: list[str] = []
    found = [str(path) for path in source_files(project, remark=remarks.append)]
    assert found == sorted(set(BELONGS) - {"data/prices.csv"})
    assert sorted(remarks) == [
        "gone was left out: it is a link to nowhere, which is not there.",
        "loop was left out: it is a link to a folder that it is in itself.",
    ]


def test_what_is_ignored_stays_so_through_a_link(project: Path):
    git(project, "init")
    (project / ".gitignore").write_text("shop/view.html\n")
    (project / "again").symlink_to("shop")
    assert [name for name in names(project) if name.startswith("again/")] == [
        "again/__init__.py",
        "again/build/plan.py",
    ]


def test_what_was_made_before(project: Path):
    for name in (f"image/{TASK_FOLDER}/{FILE}", "image/Dockerfile", f"unpacked/{FILE}", "unpacked/app.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    for name, content in {"release.bin": FILE, "fonts.bin": "sans.ttf"}.items():
        with zipfile.ZipFile(project / name, "w") as file:
            file.writestr(content, "")
    remarks: list[str] = []
    found = [str(path) for path in source_files(project, remark=remarks.append)]
    assert found == sorted([*BELONGS, "fonts.bin"])
    assert [remark.partition(" was left out")[0] for remark in remarks] == ["image", "release.bin", "unpacked"]


def test_patterns_go_name_by_name(project: Path):
    assert "shop/build/plan.py" in names(project, exclude=["shop/*.py"])
    assert "shop/__init__.py" not in names(project, exclude=["shop/*.py"])
    assert "shop/build/plan.py" not in names(project, exclude=["shop/**/*.py"])


def test_link_to_a_folder_is_followed(project: Path, tmp_path_factory: pytest.TempPathFactory):
    shared = tmp_path_factory.mktemp("shared")
    (shared / "common.py").touch()
    (project / "shared").symlink_to(shared)
    git(project, "init")
    assert "shared/common.py" in names(project)


def test_root_of_the_code(tmp_path: Path):
    (tmp_path / "app.py").touch()
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "__init__.py").touch()
    (tmp_path / "src" / "shop" / "app.py").touch()
    assert code_root(tmp_path, "app.handler") == tmp_path
    assert code_root(tmp_path, "src/shop/app.handler") == tmp_path
    assert code_root(tmp_path, "shop.app.handler") == tmp_path / "src"
    assert code_root(tmp_path, "shop.handler") == tmp_path / "src"


def test_no_such_module(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"neither shop/app\.py nor src/shop/app\.py is in"):
        code_root(tmp_path, "shop.app.handler")


@pytest.mark.parametrize("name", ["app", "app.py", ".handler", "app."])
def test_no_handler(tmp_path: Path, name: str):
    with pytest.raises(ConfigurationError, match=f"'{name}' is no handler"):
        code_root(tmp_path, name)


def test_copy_never_writes_through_a_link(tmp_path: Path):
    project, stage, cache = (tmp_path / name for name in ("project", "stage", "cache"))
    for folder in (project, stage, cache):
        folder.mkdir()
    (cache / "six.py").write_text("of the cache")
    (stage / "six.py").hardlink_to(cache / "six.py")
    (project / "six.py").write_text("of the project")
    copy_sources(project, source_files(project), stage)
    assert (stage / "six.py").read_text() == "of the project"
    assert (cache / "six.py").read_text() == "of the cache"


def test_name_that_a_dependency_has_for_a_folder(tmp_path: Path):
    (tmp_path / "stage" / "six").mkdir(parents=True)
    (tmp_path / "six").touch()
    with pytest.raises(ConfigurationError, match="six cannot be packaged"):
        copy_sources(tmp_path, source_files(tmp_path), tmp_path / "stage")
