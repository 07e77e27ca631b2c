from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.plane import code as code_module
from polylambda.plane.code import BadCode, CodeFolder, unpack


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def packed(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for info, content in entries:
            archive.writestr(entry(info) if isinstance(info, str) else info, content)
    return data.getvalue()


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


class TestZip:
    def test_content_bits_and_digest(self, tmp_path: Path):
        data = packed(
            ("app.py", b"code"),
            (entry("bin/", 0o040755), b""),
            (entry("bootstrap", 0o100755), b"#!/bin/sh"),
            ("deep/er/data", b"x"),
        )
        code = CodeFolder(tmp_path / "code").add_zip(data)
        folder = Path(code.folder)
        assert tree(folder)["deep/er/data"] == b"x"
        assert os.access(folder / "bootstrap", os.X_OK)
        assert not os.access(folder / "app.py", os.X_OK)
        assert base64.b64decode(code.sha256) == hashlib.sha256(data).digest()
        assert code.size == len(data)

    def test_same_content_is_unpacked_once(self, tmp_path: Path):
        folder = CodeFolder(tmp_path)
        first = folder.add_zip(packed(("a", b"1")))
        marker = Path(first.folder, "marker")
        marker.touch()
        assert folder.add_zip(packed(("a", b"1"))) == first
        assert marker.exists()
        assert folder.add_zip(packed(("a", b"2"))).folder != first.folder

    def test_what_a_kill_left_is_removed(self, tmp_path: Path):
        (tmp_path / ".unpacking-x" / "code").mkdir(parents=True)
        CodeFolder(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_archive_and_collection(self, tmp_path: Path):
        folder = CodeFolder(tmp_path)
        used, unused = folder.add_zip(packed(("a", b"1"))), folder.add_zip(packed(("a", b"2")))
        archive = folder.archive(used.folder)
        assert archive is not None
        assert archive.read_bytes() == packed(("a", b"1"))
        folder.collect({used.folder, "/elsewhere"})
        assert folder.download(archive.stem) == archive
        assert not Path(unused.folder).exists()
        assert folder.archive(unused.folder) is None
        assert folder.archive(str(tmp_path.parent / "x")) is None

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "Could not unzip uploaded file"),
            (b"not a zip", "Could not unzip uploaded file"),
            (packed(("a", b"x" * 100))[:-30], "Could not unzip uploaded file"),
            (packed(), "non-empty zip"),
            (packed(("../a", b"")), "leads out of"),
            (packed(("a/../../b", b"")), "leads out of"),
            (packed(("/etc/passwd", b"")), "leads out of"),
            (packed(("..\\a", b"")), "leads out of"),
            (packed(("C:/a", b"")), "leads out of"),
            (packed((".", b"")), "leads out of"),
            (packed((entry("link", stat.S_IFLNK | 0o777), b"/etc")), "a link or a device"),
            (packed((entry("pipe", stat.S_IFIFO | 0o777), b"")), "a link or a device"),
            (packed(("a", b""), ("a/b", b"")), "two entries"),
            (packed(("a/b", b""), ("a", b"")), "two entries"),
            (packed(("a", b""), ("./a", b"")), "two entries"),
            (packed(("n" * 256, b"")), "too long"),
            (packed(("d/" * 101 + "f", b"")), "too long"),
            (
                packed(("d" * 250 + "/" + "d" * 250 + "/" + "d" * 250 + "/" + "d" * 250 + "/" + "d" * 250, b"")),
                "too long",
            ),
        ],
    )
    def test_refused(self, tmp_path: Path, data: bytes, message: str):
        folder = CodeFolder(tmp_path / "data" / "code")
        with pytest.raises(BadCode, match=message):
            folder.add_zip(data)
        assert tree(tmp_path) == {"data": None, "data/code": None}

    def test_broken_content(self, tmp_path: Path):
        info = entry("a")
        info.compress_type = zipfile.ZIP_STORED
        data = packed((info, b"x" * 100)).replace(b"x" * 100, b"y" * 100)
        with pytest.raises(BadCode, match="Could not unzip"):
            CodeFolder(tmp_path).add_zip(data)
        assert list(tmp_path.iterdir()) == []

    def test_encrypted(self, tmp_path: Path):
        data = bytearray(packed(("a", b"1")))
        data[data.index(b"PK\x01\x02") + 8] |= 1
        with pytest.raises(BadCode, match="encrypted"):
            unpack(bytes(data), tmp_path / "new")

    def test_other_compression(self, tmp_path: Path):
        info = entry("a")
        info.compress_type = zipfile.ZIP_BZIP2
        with pytest.raises(BadCode, match="not deflate"):
            unpack(packed((info, b"1")), tmp_path / "new")

    def test_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(code_module, "MAX_UNZIPPED", 1000)
        with pytest.raises(BadCode, match="Unzipped size must be smaller than 1000"):
            unpack(packed(("a", b"0" * 600), ("b", b"0" * 600)), tmp_path / "new")
        assert not (tmp_path / "new").exists()

    def test_bomb_that_lies_about_its_size(self, tmp_path: Path):
        data = bytearray(packed(("a", b"0" * 100_000)))
        for begin, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            place = data.index(begin) + offset
            data[place : place + 4] = (10).to_bytes(4, "little")
        with pytest.raises(BadCode, match="Could not unzip"):
            unpack(bytes(data), tmp_path / "new")
        assert all((content is None) or len(content) <= 10 for content in tree(tmp_path).values())

    def test_too_many_entries(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(code_module, "MAX_ENTRIES", 3)
        with pytest.raises(BadCode, match="more than 3 entries"):
            unpack(packed(*((str(number), b"") for number in range(4))), tmp_path / "new")

    def test_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(code_module, "MAX_ZIPPED", 10)
        with pytest.raises(BadCode, match="the limit is 10"):
            unpack(packed(("a", b"1")), tmp_path / "new")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    @given(
        names=st.lists(
            st.text(st.sampled_from("ab./\\:~ \n\x00ä\udc80"), min_size=1, max_size=12), min_size=1, max_size=4
        ),
        mode=st.sampled_from([0, 0o100644, 0o040755, 0o120777, 0o104755]),
    )
    def test_nothing_leaves_the_folder(self, tmp_path_factory: pytest.TempPathFactory, names: list[str], mode: int):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name in names:
                try:
                    archive.writestr(entry(name, mode), b"content")
                except UnicodeEncodeError:
                    return
        outer = tmp_path_factory.mktemp("outer")
        try:
            unpack(data.getvalue(), outer / "code")
        except BadCode:
            pass
        else:
            assert all(not path.is_symlink() for path in (outer / "code").rglob("*"))
        assert {path.name for path in outer.iterdir()} <= {"code"}


class TestReference:
    def test_a_change_is_another_code(self, tmp_path: Path):
        (tmp_path / "app.py").write_text("1")
        folder = CodeFolder(tmp_path / "data")
        before = folder.reference(str(tmp_path))
        assert before.folder == str(tmp_path)
        assert folder.reference(str(tmp_path)) == before
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__" / "app.pyc").touch()
        assert folder.reference(str(tmp_path)) == before
        (tmp_path / "app.py").write_text("22")
        after = folder.reference(str(tmp_path))
        assert after.sha256 != before.sha256
        assert folder.archive(after.folder) is None

    @pytest.mark.parametrize("path", ["relative", "/does/not/exist", "", "\0"])
    def test_refused(self, tmp_path: Path, path: str):
        with pytest.raises(BadCode, match="there is no folder"):
            CodeFolder(tmp_path).reference(path)

    def test_too_many_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(code_module, "MAX_ENTRIES", 1)
        for name in ("a", "b"):
            (tmp_path / name).touch()
        with pytest.raises(BadCode, match="more than 1 files"):
            CodeFolder(tmp_path / "data").reference(str(tmp_path))
