"""What happened between two looks at a fleet, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polylambda.plane.records import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polylambda.plane.contact import Snapshot

_Thing = dict[str, Any]

NOTHING: Snapshot = {"providers": [], "versions": [], "instances": [], "environments": []}
"""A fleet before anything was there."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened.

    Attributes:
        what: `version`, `instance` or `environment`.
        id: its ARN or id.
        state: the state that it is in now; empty when it is gone.
        sentence: for a person.
    """

    what: str
    id: str
    state: str
    sentence: str


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return what became of versions, instances and environments, in this order."""
    names = {each["arn"]: short_name(each) for each in (*before["versions"], *after["versions"])}
    found: list[Change] = []
    for old, new in _pairs(before["versions"], after["versions"], "arn"):
        if (new or old)["qualifier"] == LATEST:
            continue  # it only ever is what versions are published from
        found.extend(_of_version(old, new))
    for old, new in _pairs(before["instances"], after["instances"], "id"):
        about = f"{(new or old)['type']} in {(new or old)['zone']}"
        found.extend(_of("instance", old, new, about))
    for old, new in _pairs(before["environments"], after["environments"], "id"):
        thing = new or old
        found.extend(_of("environment", old, new, f"{names.get(thing['version'], '')} on {thing['instance']}"))
    return found


def short_name(version: Mapping[str, Any]) -> str:
    """Return what a person calls a version: the function, and the qualifier when it is not the usual one."""
    usual = version["qualifier"] == "$LATEST.PUBLISHED"
    return version["function"] if usual else f"{version['function']}:{version['qualifier']}"


def _pairs(before: list[_Thing], after: list[_Thing], key: str) -> Iterator[tuple[_Thing, _Thing]]:
    """Each thing as it was and as it is; an empty dictionary stands for one that was not there, or is not any more."""
    old = {each[key]: each for each in before}
    new = {each[key]: each for each in after}
    for name in old | new:
        yield old.get(name, {}), new.get(name, {})


def _of_version(old: _Thing, new: _Thing) -> Iterator[Change]:
    thing = new or old
    name, state = short_name(thing), new.get("state", "")
    reason = f": {new['reason']}" if new and new["reason"] else ""
    if old.get("state") != new.get("state"):
        yield Change("version", thing["arn"], state, f"function {name} {_step(old, new)}{reason}")
    elif reason and old["reason"] != new["reason"]:
        # It is still Pending, say, but by now it is known what keeps it from being Active.
        yield Change("version", thing["arn"], state, f"function {name} is {state}{reason}")
    if new and old.get("wanted", 0) != new["wanted"]:
        few_or_many = f"{old.get('wanted', 0)} → {new['wanted']} environments wanted"
        yield Change("version", thing["arn"], state, f"function {name} {few_or_many}")


def _of(what: str, old: _Thing, new: _Thing, about: str) -> Iterator[Change]:
    if old.get("state") == new.get("state"):
        return
    thing = new or old
    name = thing["id"] if what == "instance" else thing["id"][:8]
    yield Change(what, thing["id"], new.get("state", ""), f"{what} {name} {_step(old, new)}, {about}")


def _step(old: _Thing, new: _Thing) -> str:
    if not old:
        return f"is {new['state']}"
    return f"was {old['state']}, is {new['state'] if new else 'gone'}"
