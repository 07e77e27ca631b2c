from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from polylambda.cli.watch import Watch
from polylambda.errors import ConfigurationError


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.fixture
def watch(tmp_path: Path, ended: threading.Event) -> Iterator[Watch]:
    (tmp_path / "data").mkdir()
    watch = Watch([tmp_path], data_dir=tmp_path / "data", ended=ended)
    watch.take()  # some systems tell of what was done a moment before
    yield watch
    watch.close()


def changed(watch: Watch, *, until: str) -> list[str]:
    """What has changed until a file is among it."""
    found: set[str] = set()
    while until not in found:
        watch.look()
        found |= {Path(path).name for path in watch.take()}
    return sorted(found)


def test_what_changed_before_the_look(watch: Watch, tmp_path: Path):
    (tmp_path / "app.py").write_text("")
    while not watch.look():
        pass
    assert watch.look()  # until it is taken
    assert watch.take() == [str(tmp_path / "app.py")]
    assert watch.take() == []


def test_what_nobody_wants_to_know(watch: Watch, tmp_path: Path):
    (tmp_path / "data" / "wanted.sqlite").write_text("")
    (tmp_path / "app.pyc").write_text("")
    (tmp_path / "z.py").write_text("")
    assert changed(watch, until="z.py") == ["z.py"]


def test_after_the_end(watch: Watch, ended: threading.Event):
    ended.set()
    assert not watch.look()
    assert not watch.look()


def test_a_folder_that_cannot_be_watched(tmp_path: Path, ended: threading.Event):
    with pytest.raises(ConfigurationError, match="without --watch"):
        Watch([tmp_path / "nope"], data_dir=tmp_path, ended=ended)
