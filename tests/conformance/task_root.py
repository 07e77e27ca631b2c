"""A `/var/task` for the emulator alone: it takes the function from there in its managed-instances mode.

Where the system allows it, the emulator runs in a mount namespace of its own in which /var has one more folder, so nothing
on the machine changes and any number of emulators run side by side. That takes root, or ranges of user ids to map (the
emulator switches to uid 993, which needs more than the caller's own). Root without the right to mount, as in many
containers, gets a real /var/task, one emulator at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

TASK_ROOT = Path("/var/task")

_MARK = ".made-by-polylambda-tests"
_UNSHARE = ["unshare", "--mount"]
_UNSHARE_AS_USER = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount"]
# Both folders are lower ones: the view is read-only, as on Lambda, and leaves nothing to clean up.
_MOUNT_AND_RUN = 'mount -t overlay overlay -o "lowerdir=$0:/var" /var && exec "$@"'


class NoTaskRoot(Exception):
    """A function cannot be put at /var/task on this machine; the message says what it lacks."""


@contextlib.contextmanager
def task_root(var: Path) -> Generator[list[str]]:
    """Show `var / "task"` as /var/task to the program that is started with the yielded words in front.

    The process that is started becomes the program: its pid is the program's. Raises NoTaskRoot.
    """
    prefix = [*(_UNSHARE if os.geteuid() == 0 else _UNSHARE_AS_USER), "sh", "-c", _MOUNT_AND_RUN]
    if not (complaint := _complaint_about(tuple(prefix))):
        yield [*prefix, str(var)]
    elif os.geteuid() == 0:
        with _real_task_root(var / TASK_ROOT.name):
            yield []
    else:
        raise NoTaskRoot(
            "AWS's emulator needs /var/task and uid 993 in its managed-instances mode. Run the tests as root, or install "
            "the uidmap package and give this user ranges in /etc/subuid and /etc/subgid. What failed: " + complaint
        )


@functools.cache
def _complaint_about(prefix: tuple[str, ...]) -> str:
    """Try to run a program in a private view; return what went wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, TASK_ROOT.name).mkdir()
        command = [*prefix, folder, "test", "-d", str(TASK_ROOT)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except OSError as error:
            return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"{prefix[0]} ended with code {done.returncode}"


@contextlib.contextmanager
def _real_task_root(task: Path) -> Generator[None]:
    """Put a copy of `task` at /var/task for a while. Waits for other test runs; leaves a /var/task of others alone."""
    with Path(tempfile.gettempdir(), "polylambda-var-task.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (TASK_ROOT / _MARK).exists():  # a run that was killed left it
            shutil.rmtree(TASK_ROOT)
        if TASK_ROOT.exists():
            raise NoTaskRoot(
                f"{TASK_ROOT} exists and is not ours: move it away, or let the tests mount (CAP_SYS_ADMIN)."
            )
        try:
            TASK_ROOT.mkdir()
            (TASK_ROOT / _MARK).touch()
            shutil.copytree(task, TASK_ROOT, dirs_exist_ok=True)
            yield
        finally:
            shutil.rmtree(TASK_ROOT, ignore_errors=True)
