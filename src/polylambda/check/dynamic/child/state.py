"""What lives as long as the process: how large it is, and where an invocation's data are kept in it."""

from __future__ import annotations

import array
import asyncio
import gc
import os
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

import polylambda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polylambda.check.dynamic.child.stage import Stage
    from polylambda.check.dynamic.project import Project

_SIZED = frozenset((dict, list, set, deque, bytearray, array.array, OrderedDict, defaultdict, Counter))
_PLAIN = frozenset(
    (ModuleType, FunctionType, BuiltinFunctionType, type, str, bytes, int, float, bool, tuple, type(None))
)
_LEAVES = (str, bytes, bytearray, memoryview, array.array)
_MOST = 60_000  # objects that are looked at
_OURS = os.path.join(os.path.dirname(os.path.realpath(polylambda.__file__)), "")


def measure(project: Project, held: dict[int, Any]) -> dict[str, Any]:
    """Return how large everything is that can grow; `held` keeps what was measured alive, so that ids stay.

    What was there before the handler was imported is frozen, and of that only what modules show is looked at.
    """
    gc.collect()
    objects = gc.get_objects()
    own = [_attributes(each) for each in objects if each.__class__.__module__.startswith("polylambda.check.")]
    passed_over = {id(value) for attributes in own for value in attributes.values()}
    sizes: dict[str, int] = {}
    containers: list[Any] = [each for each in gc.get_referents(*objects) if type(each) in _SIZED]
    for each in (*containers, *_shown_by_modules()):
        if len(each) > 0 and id(each) not in passed_over:
            held[id(each)] = each
            sizes[str(id(each))] = len(each)
    kinds = Counter(_kind(each) for each in objects)
    return {
        "sizes": sizes,
        "kinds": {kind: count for kind, count in kinds.items() if kind},
        "texts": {
            f"{module.__name__}.{name}": len(value)
            for module in _modules(project)
            for name, value in vars(module).items()
            if isinstance(value, (str, bytes))
        },
        "tasks": _tasks(project),
        "threads": len(threading.enumerate()),
        "descriptors": _descriptors(),
    }


def _shown_by_modules() -> list[Any]:
    """What the modules hold, and what the objects among that hold."""
    found: list[Any] = []
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        found.append(names)
        for value in list(names.values()):
            kind: Any = value.__class__
            if kind in _SIZED:
                found.append(value)
            elif kind not in _PLAIN:
                attributes = getattr(value, "__dict__", None)
                if type(attributes) is dict:
                    found.append(attributes)
                    found += [each for each in cast("dict[str, Any]", attributes).values() if type(each) in _SIZED]
    return found


def where(project: Project, wanted: set[int], *, everywhere: bool) -> dict[int, str]:
    """Return names, as Python would write them, of the objects with these ids; `everywhere`: also of other people's."""
    found: dict[int, str] = {}
    own = _modules(project)
    mine = set(map(id, own))
    others = [
        module
        for name, module in sys.modules.items()
        if id(module) not in mine and name.partition(".")[0] != "polylambda"
    ]
    for group in (own, others if everywhere else []):
        for each, name in _within(group) if len(found) < len(wanted) else ():
            if id(each) in wanted:
                found.setdefault(id(each), name)
                if len(found) == len(wanted):
                    break
    return found


def places(project: Project, stage: Stage) -> dict[int, list[str]]:
    """Return where the data of invocations are kept, by invocation."""
    found: dict[int, list[str]] = {}
    own = _modules(project)
    for each, name in _within(own):
        text = _text(each)
        if 12 <= len(text) < 1 << 20:
            for number in stage.marks.find_plain(text):
                found.setdefault(number, []).append(name)
    return found


def _within(group: list[ModuleType]) -> Iterator[tuple[Any, str]]:
    """Everything that these modules hold, the nearest first."""
    seen: set[int] = set()
    queue: deque[tuple[Any, str]] = deque((module, module.__name__) for module in group)
    left = _MOST
    inside = set(map(id, group))
    while queue and left > 0:
        left -= 1
        each, name = queue.popleft()
        yield each, name
        if isinstance(each, ModuleType) and id(each) not in inside:
            continue
        for inner, label in _inside(each):
            if id(inner) not in seen and not isinstance(inner, (int, float, bool, type(None))):
                if not isinstance(inner, _LEAVES):
                    seen.add(id(inner))
                queue.append((cast("Any", inner), name + label))


def _is_ours(each: Any) -> bool:
    """Say whether something is polylambda's, and so keeps invocations for good reasons."""
    owner = each if isinstance(each, FunctionType) else each.__class__
    return str(getattr(owner, "__module__", "")).startswith("polylambda.")


def _inside(each: Any) -> Iterator[tuple[Any, str]]:
    if _is_ours(each):
        return
    if isinstance(each, dict):
        members = cast("dict[Any, Any]", each)
        for key, value in list(members.items()):
            yield key, f"[{key!r:.60}]"
            yield value, f"[{key!r:.60}]"
        return
    if isinstance(each, (list, tuple, deque)):
        for index, value in enumerate(list(cast("list[Any]", each))):
            yield value, f"[{index}]"
        return
    attributes = _attributes(each)
    for name, value in attributes.items():
        yield value, f".{name}"
    if isinstance(each, BuiltinFunctionType):
        yield (None if isinstance(each.__self__, ModuleType) else each.__self__), " object"
    elif isinstance(each, FunctionType):
        for index, cell in enumerate(each.__closure__ or ()):
            yield cell, f" closure {each.__code__.co_freevars[index]}"
        yield each.__defaults__, " defaults"
    elif not isinstance(each, (ModuleType, *_LEAVES)):
        for value in gc.get_referents(each):
            yield value, ""


def _text(each: Any) -> str:
    if isinstance(each, str):
        return each
    return bytes(cast("Any", each)).decode("latin-1") if isinstance(each, _LEAVES) else ""


def _attributes(each: Any) -> dict[str, Any]:
    try:
        return dict(cast("dict[str, Any]", vars(each)))
    except TypeError:
        return {}


def _modules(project: Project) -> list[ModuleType]:
    modules = list(sys.modules.values())
    return [module for module in modules if project.owns(getattr(module, "__file__", None) or "<none>")]


def _kind(each: Any) -> str:
    """The name of a class that is written in Python and is not ours."""
    kind: type = each.__class__ if isinstance(each.__class__, type) else object
    package = str(kind.__module__).partition(".")[0]
    is_made_in_python = isinstance(kind.__init__, FunctionType)
    return f"{kind.__module__}.{kind.__qualname__}" if is_made_in_python and package != "polylambda" else ""


def _tasks(project: Project) -> dict[str, int]:
    """The tasks that have not ended, counted by what they run."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return {}
    found: Counter[str] = Counter()
    for task in tasks:
        code: Any = getattr(task.get_coro(), "cr_code", None)
        if code is not None and not os.path.realpath(code.co_filename).startswith(_OURS):
            found[f"{project.relative(code.co_filename)}:{code.co_firstlineno}:{code.co_qualname}"] += 1
    return dict(found)


def _descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        try:
            return len(os.listdir("/dev/fd"))
        except OSError:
            return 0
