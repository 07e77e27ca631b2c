"""The data directory of a plane: who has it, how its running plane is reached, and the token of its processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Self

import msgspec

from polylambda.errors import ConfigurationError
from polylambda.plane import processes
from polylambda.plane.options import INSTANCES, STATUS_FILE

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LOCK = "plane.lock"
_MARK = "process-mark"


class PlaneStatus(msgspec.Struct, frozen=True):
    """How a running plane is reached.

    Attributes:
        pid: of its process.
        url: of its API, without a slash at the end.
        token: that its own endpoints ask for: a bearer token.
    """

    pid: int
    url: str
    token: str


class DataDir:
    """A data directory that belongs to this process: `with DataDir(folder) as data`.

    Attributes:
        folder: where it is.
        token: what every process that a plane starts there carries, so that the next one finds what was left over.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is made when it is missing."""
        self.folder = folder
        self.token = ""
        self._lock = -1

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            ConfigurationError: another plane has it, or it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"--data-dir {self.folder} cannot be used ({error.strerror}): give a folder that can be written"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            status = self._read_status()
            where = f" (process {status.pid}, {status.url})" if status is not None else ""
            raise ConfigurationError(
                f"a plane runs with --data-dir {self.folder} already{where}: end it with `polylambda down`, or give "
                "another folder"
            ) from error
        self.token = self._own_token()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it to the next plane."""
        with contextlib.suppress(OSError):
            (self.folder / STATUS_FILE).unlink()
        os.close(self._lock)

    def clean_up(self) -> int:
        """End the processes that an earlier plane left, and remove what its instances kept; return how many processes.

        Blocks until they are gone. Who has the folder may do so until instances of its own are launched.
        """
        ended = processes.end(processes.marks(self.token))
        folder = self.folder / INSTANCES
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        return ended

    def announce(self, url: str) -> PlaneStatus:
        """Say how this plane is reached, with a new token for its own endpoints; readable for this user only."""
        status = PlaneStatus(os.getpid(), url, secrets.token_hex(16))
        _write_privately(self.folder / STATUS_FILE, msgspec.json.encode(status))
        return status

    def _read_status(self) -> PlaneStatus | None:
        try:
            return msgspec.json.decode((self.folder / STATUS_FILE).read_bytes(), type=PlaneStatus)
        except (OSError, msgspec.MsgspecError):
            return None

    def _own_token(self) -> str:
        """Return the token of this very folder.

        It says where it belongs: a copy of the folder brings the token of the original along, whose processes are none
        of its business, and gets its own.
        """
        path = self.folder / _MARK
        try:
            token = path.read_text().strip()
        except (OSError, ValueError):
            token = ""
        place = self._place()
        if not token.endswith(f"-{place}"):
            token = f"{secrets.token_hex(16)}-{place}"
            _write_privately(path, token.encode())
        return token

    def _place(self) -> str:
        """Tell this folder from every other: from one elsewhere, and from an earlier one of the same name."""
        path = os.fsencode(self.folder.resolve())
        return hashlib.sha256(b"%d %b" % (self.folder.stat().st_ino, path)).hexdigest()[:16]


def _write_privately(path: Path, data: bytes) -> None:
    """Put `data` into a file that nobody else can read, at once: a reader finds the old or the new."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
