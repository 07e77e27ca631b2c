"""Seeing what invocations do to files, variables and the log, through Python's audit events (PEP 578)."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import time
from _thread import get_ident
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from polylambda import sinks
from polylambda.tracing import TRACE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from polylambda.check.dynamic.child.notes import Notes
    from polylambda.check.dynamic.child.stage import Stage
    from polylambda.check.dynamic.project import Project

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
_MAX_FILE = 1 << 20  # bytes of a file that is looked into
_SKIPPED = ("/dev/", "/proc/", "/sys/")


class Onlooker:
    """Notes what invocations do; install it before the handler's code is imported."""

    def __init__(self, project: Project, stage: Stage, notes: Notes) -> None:
        """Look on as the invocations of `stage` run."""
        self._project = project
        self._stage = stage
        self._notes = notes
        self._began = time.time()
        self._busy: set[int] = set()  # threads that are here
        self._written: dict[int, dict[str, Any]] = {}
        self._variables = _environment()
        self._handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._opened,
            "os.rename": self._moved,
            "os.mkdir": lambda arguments: self._made(arguments[0], "folder"),
            "os.putenv": lambda arguments: self._note("putenv", name=_text(arguments[0])),
            "socket.__new__": lambda _: self._note("socket"),
            "_thread.start_new_thread": lambda _: self._note("thread"),
        }

    def install(self) -> None:
        """Begin."""
        write_all = sinks.write_all

        def write(descriptor: int, data: bytes, *more: Any) -> None:
            self._logged(data)
            write_all(descriptor, data, *more)

        sinks.write_all = write
        sys.addaudithook(self._audit)

    def begin(self, number: int) -> None:
        """Look at what an invocation finds when it begins."""
        self._look_at_variables(number)

    def end(self, number: int) -> None:
        """Look at what it leaves."""
        self._look_at_variables(number)
        for path, site in self._written.pop(number, {}).items():
            with self._unseen():
                others = self._stage.marks.find(_content(path)) - {number}
            if others:
                self._notes.write("wrote", number=number, path=path, others=sorted(others), site=site)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        handle = self._handlers.get(event)
        if handle is None or get_ident() in self._busy:
            return
        with self._unseen():
            try:
                handle(arguments)
            except Exception as error:
                self._notes.write("problem", what=f"{event}: {error!r}")

    @contextmanager
    def _unseen(self) -> Generator[None]:
        """What we do ourselves is of no interest."""
        self._busy.add(get_ident())
        try:
            yield
        finally:
            self._busy.discard(get_ident())

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        number = self._stage.current()
        if number is None:
            return
        path, _, flags = arguments
        if isinstance(path, int):
            return
        name = os.path.abspath(os.fsdecode(path))
        if name.startswith(_SKIPPED) or name == os.devnull:
            return
        if flags & _WRITES:
            if not os.path.isdir(name):  # tempfile opens the folder, and the file in it by an opener, or without a name
                self._made(name, "file")
        else:
            self._read(number, name)

    def _made(self, path: Any, what: str) -> None:
        number = self._stage.current()
        if number is None or isinstance(path, int):
            return
        name = os.path.abspath(os.fsdecode(path))
        site = self._site()
        if what == "file":
            self._written.setdefault(number, {})[name] = site
        self._notes.write(what, number=number, path=name, new=not os.path.lexists(name), site=site)

    def _moved(self, arguments: tuple[Any, ...]) -> None:
        source, target = arguments[:2]
        self._note("moved", path=os.path.abspath(_text(source)), to=os.path.abspath(_text(target)))

    def _read(self, number: int, path: str) -> None:
        try:
            found = os.stat(path)
        except OSError:
            return
        if found.st_mtime < self._began - 1 or not stat.S_ISREG(found.st_mode):
            return
        others = self._stage.marks.find(_content(path))
        if others and number not in others:
            self._note("read", path=path, others=sorted(others))

    def _note(self, kind: str, **facts: Any) -> None:
        number = self._stage.current()
        if number is not None:
            self._notes.write(kind, number=number, site=self._site(), **facts)

    def _logged(self, data: bytes) -> None:
        number = self._stage.current()
        if number is None:
            return
        others = self._stage.marks.find(data) - {number}
        if others:
            line = bytes(data).decode(errors="replace").rstrip("\n")[:300]
            self._notes.write("logged", number=number, others=sorted(others), line=line, site=self._site())

    def _look_at_variables(self, number: int) -> None:
        for text in self._variables():
            name, _, value = text.partition(b"=")
            others = self._stage.marks.find(value) - {number}
            if others and name != TRACE_VARIABLE.encode():
                shown = value.decode(errors="replace")[:200]
                self._notes.write(
                    "variable", number=number, others=sorted(others), name=name.decode(errors="replace"), value=shown
                )

    def _site(self) -> tuple[str, int, str] | None:
        return self._project.site(sys._getframe(1))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _content(path: str) -> bytes:
    try:
        if os.path.getsize(path) > _MAX_FILE or not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _text(value: Any) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


def _environment() -> Callable[[], Iterator[bytes]]:
    """What reads the variables of this process as child processes get them, which not all come from `os.environ`."""
    try:
        table = ctypes.POINTER(ctypes.c_char_p)
        first = table.in_dll(ctypes.CDLL(None), "environ")
    except (ValueError, OSError):  # the C library hides them
        return lambda: (b"%s=%s" % each for each in dict(os.environb).items())

    def variables() -> Iterator[bytes]:
        at = 0
        while first and (text := first[at]) is not None:
            yield text
            at += 1

    return variables
