"""Where the code of functions is: folders named by their content, unpacked from zip files that nobody vouches for.

A zip may hold anything. Its names are checked before a byte is written, its sizes before and while it is unpacked, and
it is unpacked beside its place and moved there whole: what has a name here is complete.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LOCAL_FOLDER = "local-folder"
"""S3 bucket that stands for this machine: its keys are absolute paths of folders, used in place and not copied."""

MAX_ZIPPED = 50 * 1024 * 1024
MAX_UNZIPPED = 250 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ENTRIES = 100_000
_MAX_DEPTH = 100
_MAX_PATH = 1024  # bytes; with the data directory's own it must stay below the system's 4096
_MAX_NAME = 255

_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's table of contents
_ENCRYPTED = 0x1
_CHUNK = 1 << 20
_UNPACKING = ".unpacking-"
_UNSEEN = frozenset({"__pycache__", ".git", ".polylambda", ".venv", "node_modules"})


class BadCode(PolylambdaError):
    """The code cannot be used; the message says why, in AWS's words where AWS has some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A function's code.

    Attributes:
        folder: where it is, unpacked.
        sha256: base64, as `CodeSha256` has it: of the zip file, or of names, sizes and times in a referenced folder.
        size: bytes of the zip file, or of the files in a referenced folder.
    """

    folder: str
    sha256: str
    size: int


class CodeFolder:
    """Unpacked code by content. Its methods block: call them in a thread when the code may be large."""

    def __init__(self, folder: Path) -> None:
        """Keep code in `folder`, which is made when it is missing; what a killed plane left half unpacked is removed."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        for left in self._folder.glob(f"{_UNPACKING}*"):
            shutil.rmtree(left)

    def add_zip(self, data: bytes) -> Code:
        """Unpack a zip file, unless it is here already.

        Raises:
            BadCode: it is no zip file, too large, or holds what has no business in a function.
        """
        digest = hashlib.sha256(data)
        place = self._folder / digest.hexdigest()
        code = Code(folder=str(place), sha256=base64.b64encode(digest.digest()).decode(), size=len(data))
        if not place.is_dir():
            beside = Path(tempfile.mkdtemp(prefix=_UNPACKING, dir=self._folder))
            try:
                unpack(data, beside / "code")
                (beside / "zip").write_bytes(data)
                (beside / "zip").replace(place.with_suffix(".zip"))
                (beside / "code").rename(place)
            except OSError:
                if not place.is_dir():  # else somebody else was faster with the same content
                    raise
            finally:
                shutil.rmtree(beside)
        return code

    def reference(self, path: str) -> Code:
        """Return a folder of this machine as code, where it is.

        Raises:
            BadCode: there is no such folder.
        """
        folder = Path(path)
        if not folder.is_absolute() or not folder.is_dir():
            raise BadCode(
                f"there is no folder {path!r}: S3Bucket {LOCAL_FOLDER!r} takes the absolute path of one as S3Key"
            )
        folder = folder.resolve()
        digest = hashlib.sha256()
        size = 0
        for count, entry in enumerate(_files(folder)):
            if count >= MAX_ENTRIES:
                raise BadCode(f"{folder} holds more than {MAX_ENTRIES} files: refer to the folder with the handler")
            facts = entry.stat(follow_symlinks=False)
            size += facts.st_size
            line = f"{os.path.relpath(entry.path, folder)}\0{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_mode}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return Code(folder=str(folder), sha256=base64.b64encode(digest.digest()).decode(), size=size)

    def archive(self, folder: str) -> Path | None:
        """Return the zip file that `folder` was unpacked from; None for a referenced folder."""
        archive = Path(folder).with_suffix(".zip")
        return archive if archive.parent == self._folder and archive.is_file() else None

    def download(self, digest: str) -> Path | None:
        """Return the zip file with that SHA-256, as 64 hexadecimal digits."""
        return self.archive(str(self._folder / digest))

    def collect(self, used: Collection[str]) -> None:
        """Remove all code that is not in one of the folders `used`."""
        keep = {Path(folder).name for folder in used}
        for entry in list(self._folder.iterdir()):
            if entry.name.startswith(_UNPACKING) or entry.stem in keep:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def unpack(data: bytes, folder: Path) -> None:
    """Unpack the zip file `data` into `folder`, which must not exist.

    Raises:
        BadCode: it is no zip file, too large, or holds what has no business in a function.
    """
    if len(data) > MAX_ZIPPED:
        raise BadCode(f"the zip file has {len(data)} bytes, the limit is {MAX_ZIPPED}")
    # zipfile makes an object of every entry before anybody can count them.
    if data.count(_ENTRY) > MAX_ENTRIES:
        raise BadCode(f"the zip file has more than {MAX_ENTRIES} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _checked(archive.infolist())
            folder.mkdir()
            for info, path in entries:
                _extract(archive, info, folder / path)
    # What zipfile raises for broken files is not documented; these were seen.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, RuntimeError) as error:
        raise BadCode(
            f"Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        ) from error


def _checked(infos: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    if not infos:
        raise BadCode("Uploaded file must be a non-empty zip")
    size = sum(info.file_size for info in infos)
    if size > MAX_UNZIPPED:
        raise BadCode(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes (it is {size})")
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    entries: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    for info in infos:
        path = _path(info)
        if path in files or (path in folders and not info.is_dir()) or not files.isdisjoint(path.parents):
            raise BadCode(f"the zip file has two entries for {_shown(info)}")
        folders.update(path.parents)
        (folders if info.is_dir() else files).add(path)
        entries.append((info, path))
    return entries


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return where an entry goes, relative to the folder; refuse what is no plain file or folder inside it."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadCode(f"{_shown(info)} in the zip file is a link or a device: polylambda takes files and folders")
    if info.flag_bits & _ENCRYPTED:
        raise BadCode(f"{_shown(info)} in the zip file is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadCode(f"{_shown(info)} in the zip file is compressed in a way that is not deflate")
    name = info.filename
    path = PurePosixPath(name)
    escapes = path.is_absolute() or ".." in path.parts or "\\" in name or name[1:2] == ":"
    if escapes or not path.parts:
        raise BadCode(f"{_shown(info)} in the zip file leads out of the function's folder")
    encoded = [os.fsencode(part) for part in path.parts]
    if len(encoded) > _MAX_DEPTH or sum(map(len, encoded)) > _MAX_PATH or max(map(len, encoded)) > _MAX_NAME:
        raise BadCode(f"{_shown(info)} in the zip file: the name is too long")
    return path


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    if info.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, path.open("xb") as target:  # zipfile stops at the size that was checked
        shutil.copyfileobj(source, target, _CHUNK)
    if (info.external_attr >> 16) & 0o111:
        path.chmod(0o755)


def _shown(info: zipfile.ZipInfo) -> str:
    name = info.filename
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files under `folder`, in an order of their own that is always the same."""
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _UNSEEN:
                        folders.append(entry.path)
                else:
                    yield entry
