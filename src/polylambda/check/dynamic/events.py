"""Learning where markers may be planted: in as many places as the handler answers to as it does to the plain event."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic import planting
from polylambda.check.dynamic.answers import shape_of
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.observation import Observation
from polylambda.check.dynamic.rehearsal import Event, Rehearsal
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.dynamic.observation import Answer

_MOST_TRIED = 40  # places that are tried one by one


@dataclass(slots=True)
class Learnt:
    """What the handler does with each event by itself.

    Attributes:
        events: those it answers, with their places.
        seconds: that an invocation takes by itself.
        seen: the run that tells.
        is_broken: it hung or ended because of what an earlier invocation had left.
        failing: an invocation and its error, when all fail but the first of their event.
    """

    events: list[Event]
    seconds: float = 0.0
    seen: Observation = field(default_factory=Observation)
    is_broken: bool = False
    failing: tuple[int, dict[str, Any]] | None = None


async def learn(rehearsal: Rehearsal, payloads: tuple[bytes, ...], progress: Callable[[str], None]) -> Learnt:
    """Return what there is to know before invocations run together.

    Raises:
        ConfigurationError: the handler cannot be loaded, has no such event's mode, or answers none of the events.
    """
    learnt = Learnt([_event(payload) for payload in payloads])
    numbers = list(range(1, len(payloads) + 1))
    while True:
        seen, payload = await _each(rehearsal, learnt.events)
        if not seen.is_broken:
            break
        # One at a time: the first without an answer is the one at which the process hung or ended.
        missing = len(seen.answers)
        index = missing % len(learnt.events)
        ended = await rehearsal.once([payload[missing]]) if missing else seen
        if not ended.is_broken:
            learnt.seen, learnt.is_broken = seen, True
            return learnt
        if missing >= 2 * len(learnt.events) and learnt.events[index].places:  # only with markers in it
            learnt.events[index] = replace(learnt.events[index], places=frozenset())
            continue
        reason = f"event {numbers[index]} {_end_of(ended)}"
        if len(learnt.events) == 1:
            raise ConfigurationError(
                f"{rehearsal.options.target} cannot be checked, {reason}: give an --event that it answers"
            )
        progress(f"{reason}; it is left out")
        del learnt.events[index], numbers[index]
    learnt.seen, learnt.seconds = seen, seen.seconds / len(seen.answers)
    _look_for_failures(rehearsal, learnt, seen, numbers, progress)
    if learnt.failing is None:
        await _plant(rehearsal, learnt, seen, numbers, progress)
    return learnt


async def _each(rehearsal: Rehearsal, events: list[Event]) -> tuple[Observation, list[bytes]]:
    """Run each event twice, for what comes first often does more, such as making clients; and once with markers."""
    marks = Marks(rehearsal.seed)
    size = len(events)
    plain = [event.payload for event in events]
    payloads = [*plain, *plain, *(event.marked(marks.of(2 * size + index)) for index, event in enumerate(events))]
    seen = await rehearsal.once(payloads)
    refuse_unloadable(rehearsal, seen)
    return seen, payloads


def _end_of(seen: Observation) -> str:
    """How an event ended a process in which nothing else ran, for messages."""
    hung = seen.of("hung")
    if hung or seen.status in (None, -signal.SIGKILL, -signal.SIGTERM):
        place = next((note["site"] for note in hung if note["site"]), None)
        return "is never answered" + (f" (it is at {place[0]}:{place[1]} in {place[2]})" if place else "")
    for note in seen.of("exited"):
        return f"ends the process with {note['error']}"
    last = seen.output.strip().splitlines()[-1:]
    return f"ends the process (exit status {seen.status})" + (f": {last[0]}" if last else "")


def _look_for_failures(
    rehearsal: Rehearsal, learnt: Learnt, seen: Observation, numbers: list[int], progress: Callable[[str], None]
) -> None:
    size = len(learnt.events)
    errors = {number: answer.error for number, answer in seen.answers.items() if answer.error is not None}
    for index in range(size):
        if size + index in errors:
            also = " also when it runs by itself" if index in errors else ", when it is not the first"
            progress(f"the handler fails with event {numbers[index]}{also}: {_told(errors[size + index])}")
    if len(errors) == 3 * size:
        raise ConfigurationError(
            f"{rehearsal.options.target} cannot be checked, it fails with every event also by itself, first with"
            f" {_told(errors[0])}: give an --event that it answers"
        )
    if errors.keys() >= set(range(size, 3 * size)):
        learnt.failing = size, errors[size]


async def _plant(
    rehearsal: Rehearsal, learnt: Learnt, seen: Observation, numbers: list[int], progress: Callable[[str], None]
) -> None:
    size = len(learnt.events)
    for index, event in enumerate(learnt.events):
        before, after = seen.answers[size + index], seen.answers[2 * size + index]
        if event.places and not _is_alike(before, after):
            learnt.events[index] = fewer = await _fewer(rehearsal, event, before)
            left = f"{len(fewer.places)} of {len(event.places)} places"
            progress(
                f"the handler takes event {numbers[index]} for another one when it is marked everywhere:"
                f" {left} are marked"
            )


def _told(error: dict[str, Any]) -> str:
    return f"{error.get('errorType')}: {error.get('errorMessage')}"


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
