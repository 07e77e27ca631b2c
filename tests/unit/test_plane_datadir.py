"""A plane's data directory: whose processes its token stands for, and what a plane before left in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from polylambda.plane import processes
from polylambda.plane.datadir import DataDir


def token_of(folder: Path) -> str:
    with DataDir(folder) as data:
        return data.token


def test_a_folder_keeps_its_token(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = token_of(folder)
    assert first
    assert token_of(folder) == first
    (tmp_path / "link").symlink_to(folder)
    assert token_of(tmp_path / "link") == first


def test_a_copy_gets_a_token_of_its_own(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    first = token_of(folder)
    shutil.copytree(folder, copy)
    assert token_of(copy) != first
    assert token_of(folder) == first


def test_a_copy_in_the_place_of_the_original_gets_a_token_of_its_own(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    first = token_of(folder)
    shutil.copytree(folder, copy)
    folder.rename(tmp_path / "aside")
    copy.rename(folder)
    assert token_of(folder) != first


def test_a_token_that_is_damaged_is_replaced(tmp_path: Path) -> None:
    first = token_of(tmp_path)
    for damaged in (b"", b"\xff\xfe", b"0" * 32):
        (tmp_path / "process-mark").write_bytes(damaged)
        token = token_of(tmp_path)
        assert (len(token), token != first) == (len(first), True)
        assert token_of(tmp_path) == token


def test_a_copy_leaves_the_processes_of_the_original_alone(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    token = token_of(folder)
    shutil.copytree(folder, copy)
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    process = subprocess.Popen(
        command, env=processes.marks(token), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it runs, and has its marks
            with DataDir(copy) as data:
                assert data.clean_up() == 0
            assert process.poll() is None
            with DataDir(folder) as data:
                assert data.clean_up() == 1
        finally:
            process.kill()


def test_what_instances_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    folder = tmp_path / "data"
    left = folder / "instances" / "i-1" / "tmp"
    left.mkdir(parents=True)
    (left / "file").write_text("left over")
    (folder / "instances" / "i-1.log").write_text("killed")
    (folder / "instances" / "link").symlink_to(other)
    (folder / "logs").mkdir()
    with DataDir(folder) as data:
        assert data.clean_up() == 0
    assert list((folder / "instances").iterdir()) == []
    assert (folder / "logs").is_dir()
    assert (other / "precious").exists()


def test_there_is_nothing_to_clean_up_in_a_new_folder(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data") as data:
        assert data.clean_up() == 0
