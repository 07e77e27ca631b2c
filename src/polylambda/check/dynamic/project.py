"""Which code is the user's own: what a switch is forced in, and what a finding points to."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import polylambda

if TYPE_CHECKING:
    from types import FrameType

_OTHERS = tuple(
    f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages", "node_modules", ".venv", "venv", ".tox")
)


class Project:
    """The Python files below a folder, without what was installed there."""

    def __init__(self, root: str) -> None:
        """Take the folder."""
        self._root = os.path.join(os.path.realpath(root), "")
        self._not = (os.path.dirname(os.path.realpath(polylambda.__file__)), os.path.realpath(sys.prefix))
        self._known: dict[str, bool] = {}

    def owns(self, filename: str) -> bool:
        """Say whether the file is the project's."""
        known = self._known.get(filename)
        if known is None:
            known = self._known[filename] = self._is_ours(filename)
        return known

    def relative(self, filename: str) -> str:
        """Return the path as a finding gives it."""
        path = os.path.realpath(filename)
        return path.removeprefix(self._root) if self.owns(filename) else path

    def site(self, frame: FrameType | None) -> tuple[str, int, str] | None:
        """Return file, line and function of the innermost call of the project's code, None without one."""
        while frame is not None:
            if self.owns(frame.f_code.co_filename):
                return self.relative(frame.f_code.co_filename), frame.f_lineno, frame.f_code.co_qualname
            frame = frame.f_back
        return None

    def definition(self, handler: Any, target: str) -> tuple[str, int, str]:
        """Return file, line and name of a handler; of one made elsewhere, where `target` names it."""
        while isinstance(handler, functools.partial):
            handler = cast("functools.partial[Any]", handler).func
        for each in (handler, getattr(handler, "handle", None), getattr(handler, "__call__", None)):  # noqa: B004
            code = getattr(inspect.unwrap(each), "__code__", None) if callable(each) else None
            if code is not None and self.owns(code.co_filename):
                return self.relative(code.co_filename), code.co_firstlineno, code.co_qualname
        module, _, name = target.rpartition(".")
        path = getattr(sys.modules.get(module.replace("/", ".")), "__file__", None)
        if path:
            return self.relative(path), _line_of(path, name), name
        made = sys.modules.get(getattr(handler, "__module__", ""))
        return self.relative(getattr(made, "__file__", None) or "?"), 1, name

    def _is_ours(self, filename: str) -> bool:
        if filename.startswith("<"):
            return False
        path = os.path.realpath(filename)
        if not path.startswith(self._root) or any(part in path.removeprefix(self._root[:-1]) for part in _OTHERS):
            return False
        return not any(path.startswith(os.path.join(each, "")) for each in self._not)


def _line_of(path: str, name: str) -> int:
    """The line on which a module first sets a name; 1 when it cannot be told."""
    try:
        with open(path, encoding="utf-8") as source:
            lines = [number for number, line in enumerate(source, 1) if re.match(rf"{name}\s*[:=]", line)]
    except (OSError, ValueError):
        lines = []
    return next(iter(lines), 1)
