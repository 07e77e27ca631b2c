"""Learning where markers may be planted: in as many places as the handler answers to as it does to the plain event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from polylambda.check.dynamic import planting
from polylambda.check.dynamic.answers import shape_of
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.rehearsal import Event, Rehearsal
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.dynamic.observation import Answer, Observation

_MOST_TRIED = 40  # places that are tried one by one


async def learn(
    rehearsal: Rehearsal, payloads: tuple[bytes, ...], progress: Callable[[str], None]
) -> tuple[list[Event], float]:
    """Return the events with their places, and how long an invocation takes by itself, in seconds.

    Raises:
        ConfigurationError: the handler cannot be loaded, or has no such event's mode.
    """
    events = [_event(payload) for payload in payloads]
    marks = Marks(rehearsal.seed)
    size = len(events)
    # Each event twice: what comes first often does more, such as making clients.
    plain = [event.payload for event in events]
    marked = [event.marked(marks.of(2 * size + index)) for index, event in enumerate(events)]
    seen = await rehearsal.once([*plain, *plain, *marked])
    refuse_unloadable(rehearsal, seen)
    for index, event in enumerate(events):
        before, after = seen.answers.get(size + index), seen.answers.get(2 * size + index)
        if before is not None and before.error is not None:
            error = f"{before.error.get('errorType')}: {before.error.get('errorMessage')}"
            progress(f"the handler fails with event {index + 1} also when it runs by itself: {error}")
        if event.places and not _is_alike(before, after):
            events[index] = fewer = await _fewer(rehearsal, event, before)
            left = f"{len(fewer.places)} of {len(event.places)} places"
            progress(
                f"the handler takes event {index + 1} for another one when it is marked everywhere: {left} are marked"
            )
    return events, seen.seconds / max(1, len(seen.answers))


def refuse_unloadable(rehearsal: Rehearsal, seen: Observation) -> None:
    """Raise ConfigurationError when the handler could not be loaded."""
    target = rehearsal.options.target
    if seen.init_error is not None:
        what = seen.init_error.get("errorMessage") or seen.init_error.get("errorType")
        raise ConfigurationError(f"{target} cannot be run: {what}")
    if not seen.of("handler"):
        last = seen.output.strip().splitlines()[-1:] or [f"exit status {seen.status}"]
        raise ConfigurationError(f"{target} cannot be run, its process ended: {last[0]}")


async def _fewer(rehearsal: Rehearsal, event: Event, before: Answer | None) -> Event:
    """Return the event with the places that can be marked."""
    marks = Marks(rehearsal.seed)
    ordered = planting.places(event.content)[:_MOST_TRIED]
    single = [Event(event.payload, event.content, frozenset((place,))) for place in ordered]
    seen = await rehearsal.once([each.marked(marks.of(number)) for number, each in enumerate(single)])
    good = [place for number, place in enumerate(ordered) if _is_alike(before, seen.answers.get(number))]
    together = Event(event.payload, event.content, frozenset(good))
    if len(good) > 1:
        again = await rehearsal.once([together.marked(marks.of(0))])
        if not _is_alike(before, again.answers.get(0)):
            return Event(event.payload, event.content, frozenset(good[:1]))
    return together


def _event(payload: bytes) -> Event:
    try:
        content = json.loads(payload)
    except ValueError:
        return Event(payload, None, frozenset())
    return Event(payload, content, frozenset(planting.places(content)))


def _is_alike(one: Answer | None, two: Answer | None) -> bool:
    if one is None or two is None:
        return one is two
    return shape_of(one) == shape_of(two)
