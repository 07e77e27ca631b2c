"""What starting a runtime imports: start-up must not be slower than that of AWS's runtime.

In processes of their own, without site packages: what other packages import at start is not ours.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import polylambda

SOURCE = Path(polylambda.__file__).parents[1]

# What the modules below import by themselves, which differs between Pythons.
ALLOWED = "import contextvars, functools, gc, logging, re, select, signal, threading, _socket"

# Nothing of it is needed to run a `def` handler without types. `typing` and `contextlib` are told apart from what
# Python imports for `logging`.
EXPENSIVE = {
    "asyncio",
    "dataclasses",
    "datetime",
    "decimal",
    "http",
    "inspect",
    "json",
    "msgspec",
    "pathlib",
    "socket",
    "tempfile",
    "typing",
    "urllib",
    "uuid",
}
NOT_THE_CORE = {"cli", "local", "server", "testing", "plane", "check", "package"}


def imported_by(program: str) -> set[str]:
    """The modules that `program` imports beyond those that Python and `ALLOWED` import."""
    listing = "import sys; print(*sorted(sys.modules), file=sys.stderr)"
    lists = [
        subprocess.run(
            [sys.executable, "-S", "-c", f"{text}\n{listing}"],
            env={"PYTHONPATH": str(SOURCE), "AWS_LAMBDA_RUNTIME_API": "nowhere"},
            capture_output=True,
            check=True,
            text=True,
            timeout=50,
        ).stderr.splitlines()[-1]
        for text in (program, ALLOWED)
    ]
    return set(lists[0].split()) - set(lists[1].split())


START = {
    "import polylambda": "import polylambda",
    "python -m polylambda": """
import polylambda.__main__
import polylambda.rapi.blocking, polylambda.runtime.worker, polylambda.runtime.loading
""",
    "a handler without types": """
from polylambda import LambdaContext, LambdaRuntime
from polylambda.handlers import compile_handler
import polylambda.runtime.worker
def handler(event: dict, context: "LambdaContext") -> dict: ...
class Handler:
    def handle(self, event, context): ...
compile_handler(handler)
compile_handler(Handler())
LambdaRuntime(handler)
""",
}


@pytest.mark.parametrize("program", START)
def test_starting_imports_only_what_it_needs(program):
    imported = imported_by(START[program])
    assert {module.partition(".")[0] for module in imported} & EXPENSIVE == set()
    assert {module.split(".")[1] for module in imported if module.startswith("polylambda.")} & NOT_THE_CORE == set()


@pytest.mark.parametrize("program", START)
def test_what_most_functions_do_not_have_is_not_imported_at_start(program):
    """A lifespan, a loop, types, errors: each module more is a file more to open."""
    unused = {"aio", "aio_connection", "async_worker", "lifespan", "loop", "platform", "refusals", "report", "typed"}
    assert {module.rpartition(".")[2] for module in imported_by(START[program])} & unused == set()


SEVERAL_SLOTS = {
    "async_pool",
    "background",
    "board",
    "cpus",
    "isolation",
    "layout",
    "lifeline",
    "limits",
    "managed",
    "program",
    "safety",
    "share",
    "supervisor",
    "thread_pool",
}


@pytest.mark.parametrize("program", START)
def test_one_slot_needs_nothing_of_what_several_need(program):
    imported = imported_by(START[program])
    assert {
        module.rpartition(".")[2] for module in imported if module.startswith("polylambda.")
    } & SEVERAL_SLOTS == set()
    assert "polylambda.runtime.keeper" not in imported


def test_those_names_are_those_of_modules():
    """Else the test above would show nothing of one that got another name."""
    modules = {path.stem for path in (SOURCE / "polylambda").rglob("*.py")}
    assert modules >= SEVERAL_SLOTS


@pytest.mark.parametrize("program", START)
def test_starting_imports_nothing_beyond_the_standard_library(program):
    outside = {module.partition(".")[0] for module in imported_by(START[program])}
    assert outside - set(sys.stdlib_module_names) <= {"polylambda"}


def test_the_public_names_are_all_there_is_to_know():
    for name in polylambda.__all__:
        value = getattr(polylambda, name)
        assert value.__doc__ or name in {"Middleware", "Waist"}, name  # types of callables


@pytest.mark.parametrize("payload", [b'{"name": "Ada"}', b'{"name": "Ada"}\n', b"[1]\r\n \t"])
def test_a_first_event_is_decoded_without_the_json_package(payload: bytes):
    """A file's last newline is no reason to decode the event twice."""
    imported = imported_by(f"from polylambda.codec import load\nload({payload!r})")
    assert "json" not in imported


def test_an_asynchronous_runtime_does_without_the_blocking_client():
    imported = imported_by("import asyncio, polylambda.runtime.async_pool, polylambda.runtime.platform")
    assert "polylambda.rapi.blocking_connection" in imported
    assert "polylambda.rapi.blocking" not in imported
