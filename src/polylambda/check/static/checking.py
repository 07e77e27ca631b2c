"""A static check: what was kept from the last time if nothing has changed, else everything again."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from polylambda.check.static.project import Project
from polylambda.check.static.result import Checked, StaticOptions

if TYPE_CHECKING:
    from collections.abc import Generator

    from polylambda.check.static.cache import Cache

_DEEPEST = 8000  # calls


def check(options: StaticOptions) -> Checked:
    """Check what `options` name.

    Raises:
        ConfigurationError: a target is not there, or there is no handler in it.
    """
    if options.cache is None:
        return _check(options, None)
    from polylambda.check.static.cache import Cache

    cache = Cache(options.cache)
    question = (str(options.root.resolve()), str(options.mode), *options.targets)
    kept = cache.result(*question)
    if kept is not None:
        return Checked.kept(kept)
    return _check(options, cache, *question)


def _check(options: StaticOptions, cache: Cache | None, *question: str) -> Checked:
    from polylambda.check.static.following import follow_all

    project = Project(options.root)
    with _with_room():
        result = follow_all(options, project, cache)
    if cache is not None:
        cache.keep_result(asdict(result), project.read, *question)
    return result


@contextmanager
def _with_room() -> Generator[None]:
    """Hundreds of thousands of nodes are made, none is garbage before the end; and each is a few calls deep."""
    was_on, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if was_on:
            gc.enable()
