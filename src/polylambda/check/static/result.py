"""What a static check is asked, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polylambda.check.finding import Finding, Mode, Step

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class StaticOptions:
    """What to check.

    Attributes:
        targets: handlers (`app.handler`), modules, files or folders.
        root: of the project; names are looked up from here, and paths are told relative to it.
        mode: in which handlers run; None for tasks when a handler is `async def`, and threads when it is not.
        cache: a folder for results; None for no cache.
    """

    targets: tuple[str, ...]
    root: Path
    mode: Mode | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True, order=True)
class FoundHandler:
    """A handler.

    Attributes:
        name: module and name, as Lambda takes it.
        path: of its file, as findings have it.
        line: where it is defined, from 1.
        mode: in which it is checked.
    """

    name: str
    path: str
    line: int
    mode: Mode


@dataclass(frozen=True)
class Checked:
    """What came of it.

    Attributes:
        findings: sorted; suppressions and baselines are not applied.
        handlers: that were followed.
        problems: what could not be read, or not followed to its end, one sentence each.
        paths: of the files that were read, as findings have them.
        followed: how many functions invocations run.
    """

    findings: tuple[Finding, ...]
    handlers: tuple[FoundHandler, ...]
    problems: tuple[str, ...]
    paths: tuple[str, ...]
    followed: int = 0

    @property
    def files(self) -> int:
        """How many files were read."""
        return len(self.paths)

    @classmethod
    def kept(cls, plain: dict[str, Any]) -> Checked:
        """Return what `dataclasses.asdict` took apart, and JSON kept."""
        return cls(
            tuple(_finding(each) for each in plain["findings"]),
            tuple(
                FoundHandler(each["name"], each["path"], each["line"], Mode(each["mode"])) for each in plain["handlers"]
            ),
            tuple(plain["problems"]),
            tuple(plain["paths"]),
            plain["followed"],
        )


def _finding(plain: dict[str, Any]) -> Finding:
    modes = tuple(Mode(mode) for mode in plain["modes"])
    trail = tuple(Step(**step) for step in plain["trail"])
    return Finding(**{**plain, "modes": modes, "trail": trail, "evidence": tuple(plain["evidence"])})  # pyright: ignore[reportArgumentType] # as asdict() gave it
