"""Noticing what a running handler cannot tell: that it keeps the event loop, or that nothing moves any more."""

from __future__ import annotations

import _thread
import asyncio
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from polylambda.check.dynamic.assignment import Assignment
    from polylambda.check.dynamic.child.baton import Baton
    from polylambda.check.dynamic.child.loop import SeededLoop
    from polylambda.check.dynamic.child.notes import Notes
    from polylambda.check.dynamic.child.stage import Stage
    from polylambda.check.dynamic.project import Project

_TICK = 0.01  # seconds
HUNG = 70
"""Exit status of a process in which nothing moved any more."""


class Watch:
    """A thread beside the invocations."""

    def __init__(
        self, project: Project, stage: Stage, notes: Notes, assignment: Assignment, baton: Baton | None
    ) -> None:
        """Watch the invocations of `stage`, which take turns by `baton` unless they are tasks."""
        self._project = project
        self._stage = stage
        self._notes = notes
        self._baton = baton
        self._stall = assignment.stall
        self._patience = assignment.patience
        self._timeout = assignment.timeout
        self._longest = assignment.longest
        self._loop: SeededLoop | None = None
        self._thread = _thread.get_ident()
        self._sampled: dict[float, tuple[int, list[str], Any]] = {}  # by the beginning of the callback

    def follow(self, loop: SeededLoop) -> None:
        """Watch the event loop of the calling thread."""
        self._thread = _thread.get_ident()
        self._loop = loop
        loop.lasted = self._lasted

    def start(self) -> None:
        """Begin. Not a thread of `threading`, which the handler might count."""
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        while True:
            time.sleep(_TICK)
            self._sample()
            if self._stage.active:
                now = time.monotonic()
                rest = now - self._stage.moved_at
                if rest > self._patience and self._is_stuck():
                    self._give_up(stuck=True)
                if rest > self._timeout or now - self._stage.changed_at > self._longest:
                    self._give_up(stuck=False)

    def _sample(self) -> None:
        """Look where a callback is that has run for a while."""
        turn = self._loop.turn if self._loop is not None else None
        if (
            turn is None
            or self._stage.of(turn[2]) is None
            or time.monotonic() - turn[0] < min(self._stall / 2, 4 * _TICK)
        ):
            return
        frame = self._frames().get(self._thread)
        site = self._project.site(frame)
        if site is None:
            return
        looks, stack, first = self._sampled.get(turn[0], (0, [], site))
        self._sampled[turn[0]] = looks + 1, stack or _lines(frame), first

    def _lasted(self, number: int, seconds: float, cpu: float, began: float) -> None:
        looks, stack, site = self._sampled.pop(began, (0, [], None))
        # Of what holds the GIL there is one sample: this thread gets the lock where the call comes back to Python code.
        if seconds < self._stall or site is None:
            return
        if (
            cpu >= self._stall or looks * _TICK >= (self._stall - 4 * _TICK) / 2
        ):  # else the machine was busy, not the loop
            self._notes.write("stall", number=number, seconds=round(seconds, 3), stack=stack, site=site)

    def _give_up(self, *, stuck: bool) -> None:
        """Nothing moves, or nothing ends: tell where everybody is, and end."""
        for number, frame in self._waiting():
            self._notes.write("hung", number=number, site=self._project.site(frame), stack=_lines(frame), stuck=stuck)
        self._notes.write("hung", number=-1, site=None, stack=[], stuck=stuck)
        os._exit(HUNG)

    def _is_stuck(self) -> bool:
        """Say whether everybody waits for somebody else: nothing from outside can help."""
        if self._loop is not None:
            return self._loop.is_stuck
        return self._baton is not None and self._baton.is_stuck

    def _waiting(self) -> list[tuple[int, FrameType | None]]:
        """The invocations under way, and where each is."""
        found: list[tuple[int, FrameType | None]] = []
        if self._loop is not None:
            for task in asyncio.all_tasks(self._loop):
                context = getattr(task, "get_context", lambda: None)()  # 3.12
                number = self._stage.of(context)
                own = [each for each in _chain(task.get_coro()) if self._project.owns(each.f_code.co_filename)]
                found.append((-1 if number is None else number, own[-1] if own else None))
            if self._loop.turn is not None:
                found.append((-1, self._frames().get(self._thread)))
            return found
        for ident, frame in self._frames().items():
            if ident != _thread.get_ident():
                found.append((-1, frame))
        return found

    @staticmethod
    def _frames() -> dict[int, FrameType]:
        return sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # documented for this


def _chain(coroutine: Any) -> list[FrameType]:
    """Where a coroutine waits: its frame, that of the one it awaits, and so on."""
    frames: list[FrameType] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return frames


def _lines(frame: FrameType | None) -> list[str]:
    return (
        []
        if frame is None
        else [f"{each.filename}:{each.lineno} in {each.name}" for each in traceback.extract_stack(frame)]
    )
