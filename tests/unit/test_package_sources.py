from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.package.sources import code_root, copy_sources, source_files

BELONGS = [
    "app.py",
    "data/prices.csv",
    "events/__init__.py",
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
