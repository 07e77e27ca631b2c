"""Checks by running, for tests: one process forks the handlers' processes of all of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import polylambda
from polylambda.check.dynamic import examination
from polylambda.check.dynamic.forks import Forks
from polylambda.check.dynamic.options import Ran, RunOptions


class Checker:
    """Call it with the options of a check.

    Attributes:
        said: what the last check told its user.
    """

    def __init__(self, runner: asyncio.Runner, forks: Forks) -> None:
        self._runner = runner
        self._forks = forks
        self.said: list[str] = []

    def __call__(self, options: RunOptions) -> Ran:
        self.said = []
        # That growth has no bound is seen in a longer run, which is as long as caches are large; here they are small.
        with mock.patch.object(examination, "_LONG", 100):
            return self._runner.run(examination.examine(options, self.said.append, self._forks))


@contextmanager
def checking() -> Generator[Checker]:
    """Start what forks; it ends with the body."""
    source = str(Path(polylambda.__file__).parents[1])
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    with asyncio.Runner() as runner:
        forks = Forks()
        with mock.patch.dict(os.environ, {**quiet, "PYTHONPATH": source}, clear=True):
            runner.run(forks.__aenter__())
        try:
            yield Checker(runner, forks)
        finally:
            runner.run(forks.__aexit__())
