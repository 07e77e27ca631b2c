"""What every test relies on: an environment without the caller's AWS settings, and nothing left running after a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A machine under load is slow, and that is not a failure. The same commit is tested with the same examples everywhere;
# `--hypothesis-seed=random --hypothesis-profile=explore` looks for new ones.
hypothesis.settings.register_profile("polylambda", deadline=None, derandomize=True)
hypothesis.settings.register_profile("elsewhere", deadline=None, derandomize=True, max_examples=20)  # on other Pythons
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("polylambda")


# Hundreds of processes import the same modules: the first that does leaves the byte code for all.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest rewrite the asserts of tests only: for the sake of our plugin it would do so in all of polylambda."""
    getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("polylambda")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the contamination test be run with as many invocations as one has patience for."""
    parser.addoption("--invocations", type=int, default=2000, help="of the contamination test, in each mode")


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at a time than there are cores: a third of their time they wait for processes to start or to end."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """A line for bash that makes `aws` known there: AWS's own, of which one process serves all tests."""
    from scripts import conformance_tools
    from tests import aws_cli_process

    python = conformance_tools.AWS_CLI_PYTHON
    if not python.exists():
        pytest.fail(f"{python} is missing: run `make tools`.", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="polylambda-aws-") as folder:  # pytest's are too long for a socket's path
        address = Path(folder, "socket")
        command = [python, aws_cli_process.__file__, "serve", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield f'aws() {{ "{sys.executable}" -I -S "{aws_cli_process.__file__}" "{address}" "$@"; }}\n'
            process.stdin.close()
            process.wait()


_FOREIGN = (
    "AWS_",
    "_AWS_",
    "LAMBDA_",
    "_LAMBDA_",
    "LOCAL_LAMBDA_",
    "POLYLAMBDA_",
    "POWERTOOLS_",
    "_HANDLER",
    "_X_AMZN_",
)
_OURS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",
}


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """Hide the variables that change what polylambda or boto3 do; the credentials are good for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(_FOREIGN):
                patch.delenv(name)
        for name, value in _OURS.items():
            patch.setenv(name, value)
        # Who runs the tests in the background may have had Ctrl-C ignored, which child processes would inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@pytest.fixture(autouse=True)
def _nothing_left_running(_environment: None) -> Iterator[None]:
    """Fail a test that leaves a thread or a child process behind: each needs an owner that joins it."""
    threads, children = set(threading.enumerate()), _children()
    yield
    for thread in threading.enumerate():
        # asyncio's own, one for each child process before Python 3.12: it ends by itself, right after the process was waited for.
        if thread.name.startswith("asyncio-waitpid-") and thread not in threads:
            thread.join(10)
    left = [repr(thread) for thread in threading.enumerate() if thread not in threads]
    left += [f"process {pid}" for pid in _children() - children]
    assert not left, f"left running: {', '.join(left)}"


def _children() -> set[str]:
    """The process ids of our children, also of those that ended and were not waited for; empty where there is no /proc."""
    while True:
        lists = list(Path("/proc/self/task").glob("*/children"))
        try:
            return {pid for children in lists for pid in children.read_text().split()}
        except OSError:  # a thread ended meanwhile, and its children are another thread's now
            continue
