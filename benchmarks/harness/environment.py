"""What a benchmark runs on: cores, interpreters and their venvs, the compiled programs; and how to describe it."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
CHECKOUT = BENCHMARKS.parent
REQUIREMENTS = ("awslambdaric==4.2.2", "msgspec", "uvloop")

_VERSIONS_SCRIPT = """
import platform
from importlib.metadata import version
print(platform.python_implementation(), platform.python_version())
for name in ("awslambdaric", "msgspec", "uvloop"):
    print(name, version(name))
"""


class BenchmarkError(Exception):
    """Something prevents a measurement; the message says what to do about it."""


def cache_folder() -> Path:
    """Return the folder that keeps venvs, binaries and events from one run to the next."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "polylambda-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Cores:
    """Where the server and the runtime run: on a core each, or both on one."""

    server: int
    runtime: int

    @classmethod
    def choose(cls, placement: str) -> Cores:
        """Take the first cores this process may use; `placement` is "apart" or "together"."""
        available = sorted(os.sched_getaffinity(0))
        if placement == "together":
            return cls(available[-1], available[-1])
        if len(available) < 2:
            raise BenchmarkError("One core only: run with --placement together.")
        return cls(available[0], available[1])

    @property
    def apart(self) -> bool:
        return self.server != self.runtime


@dataclass(frozen=True)
class Interpreter:
    """A venv with awslambdaric and what polylambda needs, made from one Python."""

    executable: Path
    versions: dict[str, str]

    @property
    def name(self) -> str:
        """For example `CPython 3.13.0`."""
        return self.versions["python"]


def prepare_interpreter(python: str) -> Interpreter:
    """Make the venv of a Python, or find it as an earlier run left it."""
    found = shutil.which(python)
    if found is None:
        raise BenchmarkError(f"--python {python}: no such interpreter.")
    digest = hashlib.sha256(f"{Path(found).resolve()} {REQUIREMENTS}".encode()).hexdigest()[:12]
    folder = cache_folder() / f"venv-{digest}"
    executable = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        print(f"making a venv for {found} in {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        _run([found, "-m", "venv", str(folder)], f"{found} cannot make a venv: install its venv module (python3-venv).")
        install = [str(executable), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        _run(install, f"pip could not install {', '.join(REQUIREMENTS)} for {found}.")
        complete.touch()
    lines = subprocess.check_output([executable, "-c", _VERSIONS_SCRIPT], text=True).splitlines()
    versions = {"python": lines[0], **dict(line.split() for line in lines[1:]), "polylambda": _checkout_version()}
    return Interpreter(executable, versions)


def compile_program(source: Path) -> Path:
    """Compile a C file, unless the binary of this very text is there; return the binary."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    binary = cache_folder() / f"{source.stem}-{digest}"
    if not binary.exists():
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            raise BenchmarkError("No C compiler: install gcc or clang, or set CC.")
        partial = binary.with_suffix(f".{os.getpid()}")
        _run([compiler, "-O2", "-o", str(partial), str(source)], f"{source} does not compile.")
        partial.rename(binary)
    return binary


def machine() -> str:
    """Describe the machine in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    virtual = ", virtual" if any("hypervisor" in line for line in lines) else ""
    return f"{model}, {os.cpu_count()} cores{virtual}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _checkout_version() -> str:
    describe = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"]
    result = subprocess.run(describe, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unversioned checkout"


def _run(command: list[str], complaint: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BenchmarkError(f"{complaint}\n{result.stdout}{result.stderr}".rstrip())
