"""How far a project is followed. Whoever comes to an end here says so once, since what is beyond it is not checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polylambda.check.static.project import Project

DEEPEST = 200  # calls within calls; each takes a few dozen of Python's own
WAYS = 32  # in which one function is looked at; then only what differs in more than where its objects were made
AT_IMPORT = 400  # calls of one function
CALLS = 15_000

_SAID = {
    "depth": "calls within calls are followed {limit} deep: what `{name}` ({place}) calls from there is not checked",
    "ways": "`{name}` ({place}) is called in more than {limit} different ways: the others are not checked",
    "import": "`{name}` ({place}) is called more than {limit} times at import: what the other calls make is not known",
    "calls": "only {limit:,} calls were followed, and `{name}` ({place}) is beyond them: name fewer handlers at a time",
    "values": "what is called at {place} may be one of more than {limit}: the others are not checked",
}
_LIMITS = {"depth": DEEPEST, "ways": WAYS, "import": AT_IMPORT, "calls": CALLS}


class Limits:
    """What was left out, told as problems of the project, each kind once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._told: set[str] = set()

    def reached(self, kind: str, name: str, place: str, limit: int | None = None) -> None:
        """Note that something is not looked at."""
        if kind in self._told:
            return
        self._told.add(kind)
        said = _SAID[kind].format(name=name, place=place, limit=limit or _LIMITS[kind])
        if said not in self._project.problems:
            self._project.problems.append(said)
