"""A process that forks one for each run, so that a run need not start an interpreter and import what all runs use.

It reads assignments, a line of JSON each, from standard input and answers on standard output: the process id, then the exit
status. At the end of its input it ends.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from polylambda import loop
from polylambda.check.dynamic.assignment import Assignment
from polylambda.check.dynamic.child.performance import perform
from polylambda.runtime import async_pool, thread_pool
from polylambda.settings import Settings

_IMPORTED = (async_pool, thread_pool, Settings, loop)


def main() -> None:
    """Serve until the end of the input."""
    gc.collect()
    gc.freeze()  # so that the children's collectors do not write to what they share
    for line in sys.stdin:
        assignment = Assignment.from_json(line)
        pid = os.fork()
        if pid == 0:
            _become(assignment)
        _say(f"{pid}")
        _, status = os.waitpid(pid, 0)
        try:
            os.killpg(pid, signal.SIGKILL)  # what it has started
        except (ProcessLookupError, PermissionError):
            pass
        _say(f"{os.waitstatus_to_exitcode(status)}")


def _become(assignment: Assignment) -> None:
    os.setsid()
    output = os.open(assignment.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(nothing)
    perform(assignment)


def _say(line: str) -> None:
    try:
        os.write(1, line.encode() + b"\n")
    except BrokenPipeError:  # whoever asked was interrupted
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
