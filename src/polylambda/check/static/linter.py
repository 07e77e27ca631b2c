"""What ruff knows: asked once for the files that handlers run, and taken where they run.

Its rules see one function at a time, which is all that a blocking call in a coroutine needs. What it says of functions that
no handler reaches is left out.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from polylambda.check.finding import Finding
from polylambda.check.static.report import Reached, modes_of
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polylambda.check.static.cache import Cache
    from polylambda.check.static.project import Project
    from polylambda.check.static.report import Report

_OF_COROUTINES = {
    "ASYNC210": "use httpx.AsyncClient or aiohttp, or await asyncio.to_thread(...)",
    "ASYNC212": "use httpx.AsyncClient",
    "ASYNC220": "await asyncio.create_subprocess_exec(...)",
    "ASYNC221": "await asyncio.create_subprocess_exec(...), or await asyncio.to_thread(subprocess.run, ...)",
    "ASYNC222": "await the wait() of asyncio.create_subprocess_exec(...)",
    "ASYNC230": "await asyncio.to_thread(path.read_bytes), or anyio.open_file()",
    "ASYNC240": "anyio.Path, or await asyncio.to_thread(...)",
    "ASYNC250": "a handler has nobody to ask: take the answer from the event",
    "ASYNC251": "await asyncio.sleep(...)",
}
_OTHERS = {
    "B039": "make the default None, and the object where it is used; or get(default) with a new one",
    "B019": "cache a function of the values that it needs, or use functools.cached_property",
    "RUF006": "keep it and await it, or asyncio.TaskGroup; work after the response is for a ResponseWriter",
}
_RULES = {**_OF_COROUTINES, **_OTHERS}
_AT_IMPORT = frozenset({"B039"})  # of statements that no invocation runs, in the modules that it uses
_LIMIT = 120  # seconds
_LONGEST = 100_000  # bytes of file names in one command; systems allow from 250,000 on


class Failed(Exception):
    """Ruff came to grief over a file."""


class Diagnosis(NamedTuple):
    """What ruff says of a line."""

    rule: str
    line: int
    column: int
    message: str


def joined(project: Project, report: Report, findings: list[Finding], cache: Cache | None) -> set[Finding]:
    """Return findings, and ruff's about the functions that invocations run."""
    files = {project.file_of(path): path for path in report.reached}
    known = {(each.path, each.line, each.rule) for each in findings}
    found = set(findings)
    for file, diagnoses in _diagnoses(project, list(files), cache).items():
        path = files[file]
        for each in diagnoses:
            made = _finding(project, report, path, each)
            if made is not None and (path, made.line, made.rule) not in known and report.mode in made.modes:
                found.add(made)
    return found


def _finding(project: Project, report: Report, path: str, diagnosis: Diagnosis) -> Finding | None:
    if diagnosis.rule in _AT_IMPORT:
        line, column = _statement(project.body_of(path), diagnosis)
        fix, modes = _RULES[diagnosis.rule], modes_of(diagnosis.rule)
        return Finding(path, line, column, diagnosis.rule, diagnosis.message, fix, modes)
    reached = _innermost(report.reached[path], diagnosis.line)
    if reached is None or reached.quiet or (diagnosis.rule in _OF_COROUTINES and not reached.is_async):
        return None
    line, column = _statement(project.body_of(path), diagnosis)
    fix, modes = _RULES[diagnosis.rule], modes_of(diagnosis.rule)
    return Finding(path, line, column, diagnosis.rule, diagnosis.message, fix, modes, reached.trail)


def _innermost(reached: list[Reached], line: int) -> Reached | None:
    inside = [each for each in reached if each.first <= line <= each.last]
    return max(inside, key=lambda each: each.first, default=None)


def _statement(body: list[ast.stmt], diagnosis: Diagnosis) -> tuple[int, int]:
    """Return where the statement begins that ruff points into."""
    todo = list(body)
    while todo:
        each = todo.pop()
        if not each.lineno <= diagnosis.line <= (each.end_lineno or each.lineno):
            continue
        inner = [
            child
            for child in ast.iter_child_nodes(each)
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]
        if not inner:
            return each.lineno, each.col_offset + 1
        for child in inner:
            todo += [child] if isinstance(child, ast.stmt) else child.body
    return diagnosis.line, diagnosis.column


def _diagnoses(project: Project, files: list[Path], cache: Cache | None) -> dict[Path, list[Diagnosis]]:
    digests = {file: project.read[str(file)] for file in files}
    found: dict[Path, list[Diagnosis]] = {}
    if cache is not None:
        found = {file: [Diagnosis(*each) for each in known] for file, known in cache.linted(digests).items()}
    missing = [file for file in files if file not in found]
    if missing:
        fresh: dict[Path, list[Diagnosis]] = {}
        reasons: list[str] = []
        for chunk in _chunks(missing):
            fresh.update(_ask_apart(project, chunk, reasons))
        if reasons and not fresh:
            raise ConfigurationError(f"ruff, which finds some of the rules, failed: {reasons[0]}")
        found.update(fresh)
        if cache is not None:
            cache.keep_linted({digests[file]: [list(each) for each in known] for file, known in fresh.items()})
    return found


def _chunks(files: list[Path]) -> Iterator[list[Path]]:
    """Yield the files for one command each: how long it may be is limited."""
    chunk: list[Path] = []
    size = 0
    for file in files:
        length = len(os.fsencode(file)) + 1
        if chunk and size + length > _LONGEST:
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += length
    if chunk:
        yield chunk


def _ask_apart(project: Project, files: list[Path], reasons: list[str]) -> dict[Path, list[Diagnosis]]:
    """Return what ruff says of files, without those that it fails on, which become problems."""
    try:
        return _ask(files)
    except Failed as e:
        if len(files) > 1:
            half = len(files) // 2
            first = _ask_apart(project, files[:half], reasons)
            return {**first, **_ask_apart(project, files[half:], reasons)}
        reasons.append(str(e))
        project.problems.append(f"{project.shown(files[0])} is not checked by ruff, which failed: {e}")
        return {}


def _ask(files: list[Path]) -> dict[Path, list[Diagnosis]]:
    command = [_program(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--output-format", "json", "--quiet"]
    command += ["--select", ",".join(_RULES), "--exit-zero", "--", *map(str, files)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_LIMIT)  # noqa: S603 # ruff, of the user's files
        told: list[dict[str, Any]] = json.loads(done.stdout)
    except (subprocess.CalledProcessError, ValueError) as e:
        raise Failed(_reason(e)) from None
    except (OSError, subprocess.SubprocessError) as e:
        raise ConfigurationError(f"ruff, which finds some of the rules, failed: {e}") from None
    found: dict[Path, list[Diagnosis]] = {file: [] for file in files}
    for each in told:
        file = Path(each["filename"])
        if each["code"] in _RULES and file in found:
            place = each["location"]
            found[file].append(Diagnosis(each["code"], place["row"], place["column"], each["message"]))
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        told = [line.strip() for line in error.stderr.decode(errors="replace").splitlines() if line.strip()]
        return told[0] if told else str(error)
    return str(error)


def _program() -> str:
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if found is None:
        raise ConfigurationError("polylambda check needs ruff: pip install 'polylambda[check]'")
    return found
