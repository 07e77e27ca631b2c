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
PACKAGES = ("awslambdaric", "msgspec", "uvloop", "boto3")
REQUIREMENTS = ("awslambdaric==4.2.2", "msgspec", "uvloop", "boto3>=1.44,<2")

PLACEMENTS = ("apart", "together", "shared")

_VERSIONS_SCRIPT = """
import platform, sys
from importlib.metadata import PackageNotFoundError, version
print("python", platform.python_implementation(), platform.python_version())
for name in sys.argv[1:]:
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
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
    """Where the server and the runtime run: on a core each, both on one, or both on the same two."""

    placement: str
    server: frozenset[int]
    runtime: frozenset[int]

    @classmethod
    def choose(cls, placement: str) -> Cores:
        """Take the first cores this process may use; `placement` is one of PLACEMENTS."""
        first, *others = sorted(os.sched_getaffinity(0))
        if placement == "together":
            last = frozenset({others[-1] if others else first})
            return cls(placement, last, last)
        if not others:
            raise BenchmarkError(f"One core only, and placement {placement!r} needs two.")
        if placement == "shared":
            both = frozenset({first, others[0]})
            return cls(placement, both, both)
        return cls(placement, frozenset({first}), frozenset({others[0]}))

    @property
    def apart(self) -> bool:
        """Whether the server has a core of its own."""
        return self.placement == "apart"


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
    return describe_interpreter(executable)


def describe_interpreter(executable: Path) -> Interpreter:
    """Ask a Python what it is and what it has of what matters here."""
    output = subprocess.check_output([executable, "-c", _VERSIONS_SCRIPT, *PACKAGES], text=True)
    versions = dict(line.split(" ", 1) for line in output.splitlines())
    return Interpreter(executable, versions | {"polylambda": _checkout_version()})


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
