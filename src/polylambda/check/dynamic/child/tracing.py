"""Looking on while the project's code runs: what it returns, where threads may switch. Other code is not slowed."""

from __future__ import annotations

import gc
import sys
import threading
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import FrameType

    from polylambda.check.dynamic.child.baton import Baton
    from polylambda.check.dynamic.child.notes import Notes
    from polylambda.check.dynamic.child.stage import Stage
    from polylambda.check.dynamic.project import Project

_BY_MONITORING = sys.version_info[:2] == (3, 12)  # which does not tell a trace function of bytecodes
_TOOL = 4  # of sys.monitoring's six
_SWITCHES = 4000  # boundaries of an invocation that may be switches; what goes on for longer goes on without
_DEPTH = 3  # of what a variable holds
_WIDTH = 20
_TEXT = 100_000  # characters of a text that is looked at


class Tracer:
    """Traces the calls of the project's functions that an invocation makes."""

    def __init__(self, project: Project, stage: Stage, notes: Notes, *, baton: Baton | None, lines: bool) -> None:
        """Trace the code of `project`.

        Args:
            project: whose code.
            stage: the invocations.
            notes: is told what was seen.
            baton: hears of the boundaries between bytecodes; None: nobody does.
            lines: look at the variables of each line.
        """
        self._project = project
        self._stage = stage
        self._notes = notes
        self._baton = baton
        self._lines = lines
        self._steps: dict[int, int] = {}
        self._monitored: set[CodeType] = set()
        self._seen: set[tuple[CodeType, int, str]] = set()

    def install(self) -> None:
        """Trace this thread and every one that is started."""
        threading.settrace(self._call)
        sys.settrace(self._call)

    def prepare(self) -> None:
        """Take note of the functions that there are, where it has to be done before they are called."""
        if _BY_MONITORING and self._baton is not None:
            for each in gc.get_objects():
                if isinstance(each, FunctionType) and self._project.owns(each.__code__.co_filename):
                    self._monitor(each.__code__)

    def _monitor(self, code: CodeType) -> None:
        """Have the boundaries between the bytecodes of a function told."""
        if code in self._monitored:
            return
        monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 # 3.12
        if not self._monitored:
            monitoring.use_tool_id(_TOOL, "polylambda check")
            monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, self._boundary)
        self._monitored.add(code)
        monitoring.set_local_events(_TOOL, code, monitoring.events.INSTRUCTION)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._monitor(constant)

    def _boundary(self, code: CodeType, offset: int) -> None:
        self._step(sys._getframe(1))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not self._project.owns(frame.f_code.co_filename):
            return None
        number = self._stage.current()
        if number is None:
            return None
        frame.f_trace_lines = self._lines
        switching = self._baton is not None and self._steps.get(number, 0) < _SWITCHES
        if switching and _BY_MONITORING:
            self._monitor(frame.f_code)
        else:
            frame.f_trace_opcodes = switching
        return self._local

    def _local(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            self._step(frame)
        elif event == "return":
            self._look(frame, "return", argument, 1)
            strand = self._baton.strand if self._baton is not None else None
            if strand is not None and strand.root is frame and self._baton is not None:
                self._baton.leave()
        elif event == "line":
            for name, value in frame.f_locals.items():
                self._look(frame, name, value, _DEPTH)
        return self._local

    def _step(self, frame: FrameType) -> None:
        baton = self._baton
        number = self._stage.current()
        if baton is None or number is None or number not in self._stage.active:
            return
        steps = self._steps[number] = self._steps.get(number, 0) + 1
        if steps >= _SWITCHES:
            frame.f_trace_opcodes = False
            if _BY_MONITORING:
                return
        me = baton.strand or baton.join(number, self._root(frame))
        baton.step(me)

    def _root(self, frame: FrameType) -> FrameType:
        """The outermost call of the project's code on this thread."""
        root = frame
        caller: FrameType | None = frame
        while caller is not None:
            if self._project.owns(caller.f_code.co_filename):
                root = caller
            caller = caller.f_back
        return root

    def _look(self, frame: FrameType, name: str, value: Any, depth: int) -> None:
        """Note it when a value has data of another invocation, and none of the own."""
        found = marks_in(value, self._stage, depth)
        if not found:
            return
        number = self._stage.current()
        code = frame.f_code
        key = code, frame.f_lineno, name
        if number is None or number in found or key in self._seen:
            return
        self._seen.add(key)
        self._notes.write(
            "saw",
            number=number,
            others=sorted(found),
            name=name,
            value=repr(value)[:200],
            site=(self._project.relative(code.co_filename), frame.f_lineno, code.co_qualname),
        )


def marks_in(value: Any, stage: Stage, depth: int, *, wide: bool = False) -> set[int]:
    """Return the invocations whose data a value has in it, so many levels deep; `wide`: however many items it has."""
    if isinstance(value, (str, bytes, bytearray)):
        return stage.marks.find(value) if 12 <= len(value) <= _TEXT else set()
    if depth <= 0:
        return set()
    kind: type = value.__class__
    inner: list[Any]
    if kind is dict:
        members = cast("dict[Any, Any]", value)
        inner = [*members.keys(), *members.values()] if wide or len(members) <= _WIDTH else []
    elif kind in (list, tuple, set, frozenset):
        items = cast("list[Any]", value)
        inner = list(items) if wide or len(items) <= _WIDTH else []
    else:
        inner = list(getattr(value, "__dict__", {}).values())[:_WIDTH] if depth > 1 else []
    found: set[int] = set()
    for each in inner:
        found |= marks_in(each, stage, depth - 1, wide=wide)
    return found
