"""Every example does what its README says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.transcript import Terminal, steps

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))


def test_there_are_examples():
    assert set(FOLDERS) >= {"hello_json", "streaming", "background_tasks", "middleware_and_lifespan"}
    index = (EXAMPLES / "README.md").read_text()
    assert all(f"[{folder}]({folder}/)" in index for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_readme(folder: str):
    if shutil.which("curl") is None:
        pytest.fail("the READMEs use curl: install it", pytrace=False)
    found = steps(EXAMPLES / folder / "README.md")
    assert any(step.serves for step in found)
    assert any(step.output for step in found)
    with Terminal(EXAMPLES / folder) as terminal:
        for step in found:
            terminal.run(step)


@pytest.mark.parametrize("folder", FOLDERS)
def test_own_tests(folder: str):
    assert "`python -m pytest` runs its tests" in (EXAMPLES / folder / "README.md").read_text()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=EXAMPLES / folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
