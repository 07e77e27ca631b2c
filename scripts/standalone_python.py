"""Pythons that need no more than Lambda's C library, for both architectures: what `polylambda package --kind bootstrap` bundles.

`python -m scripts.standalone_python` asks uv for them. Where uv can fetch none, because GitHub cannot be reached, it compiles
them: zig, from PyPI, compiles and links CPython's source with Debian's static libraries for a C library of any age. That takes
some minutes, and needs `make` and a shell. The result lies below `.venv-tools/pythons` as uv would have laid it out, so
UV_PYTHON_INSTALL_DIR leads uv, and `polylambda package`, to it. Such a Python is for tests: it has no readline, curses,
tkinter and dbm, and was not tuned.

Beside them goes what runs those for arm64 on another machine: qemu, and arm64's C library.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from polylambda.package.target import machine_of
from scripts import conformance_tools, environments
from scripts.environments import ROOT, CommandFailed, say

MINOR = "3.13"
FOLDER = conformance_tools.FOLDER / "pythons"
QEMU = FOLDER / "emulation" / "qemu-aarch64-static"
SYSROOT = FOLDER / "emulation" / "sysroot"
MACHINES = ("x86_64", "aarch64")

_RELEASE = "3.13.5"
_SOURCE = "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640"
_SOURCES = (  # the same file
    f"https://www.python.org/ftp/python/{_RELEASE}/Python-{_RELEASE}.tar.xz",
    f"http://deb.debian.org/debian/pool/main/p/python{MINOR}/python{MINOR}_{_RELEASE}.orig.tar.xz",
)
_ZIG = "ziglang>=0.15,<0.18"
_GLIBC = "2.34"
_DEBIAN = "http://deb.debian.org/debian"
_SUITE = "bookworm"
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_LIBRARIES = ("zlib1g-dev", "libssl-dev", "libffi-dev", "libsqlite3-dev", "libbz2-dev", "liblzma-dev", "uuid-dev")
_MISSING = re.compile(
    r"^The necessary bits to build these optional modules were not found:\n(.*?)\nTo find", re.DOTALL | re.MULTILINE
)
_TIMEOUT = 60.0


class InterpreterUnavailable(Exception):
    """A Python could not be made; the message says what is missing."""


def find(machine: str) -> Path | None:
    """Return the newest Python 3.13 for `x86_64` or `aarch64` that was made here or is managed by uv; None: there is none."""
    releases = re.compile(rf"cpython-{re.escape(MINOR)}\.(\d+)-linux-{machine}-gnu")
    managed = subprocess.run([_uv(), "python", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    for folder in (FOLDER, Path(managed)):
        found = {int(match[1]): path for path in folder.glob("cpython-*") if (match := releases.fullmatch(path.name))}
        if found:
            return found[max(found)]
    return None


def report() -> None:
    """Say for each architecture which Python the tests of `--kind bootstrap` bundle."""
    for machine in MACHINES:
        fallback = "none, so tests bundle this machine's own only (`make interpreters` gets one)"
        say(f"Python {MINOR} to bundle for {machine}: {find(machine) or fallback}")


def ensure() -> None:
    """Get the Pythons that are not there yet, this machine's first. Raises CommandFailed or InterpreterUnavailable."""
    here = machine_of(platform.machine())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for machine in sorted(MACHINES, key=lambda machine: machine != here):
        if (found := find(machine)) is None and not _fetched_by_uv(machine):
            _build(machine, here)
            found = find(machine)
        say(f"Python {MINOR} for {machine}: {found or find(machine)}")
    if sys.platform == "linux" and here != "aarch64" and not QEMU.exists():
        _ensure_emulation(here)


def _fetched_by_uv(machine: str) -> bool:
    key = f"cpython-{MINOR}-linux-{machine}-gnu"
    say(f"{key}: asking uv for it")
    command = [_uv(), "python", "install", "--no-bin", "--no-progress", "--install-dir", FOLDER, key]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()).rpartition("cause: ")[2]
        say(f"{key}: uv cannot fetch it ({said or 'it does not say why'})")
    return done.returncode == 0


def _uv() -> Path:
    return environments.MAIN / "bin" / "uv"


def _build(machine: str, here: str) -> None:
    """Compile CPython for a machine; for another one than this only after this one's, which freezes its modules."""
    name = f"cpython-{_RELEASE}-linux-{machine}-gnu"
    if here not in MACHINES or sys.platform != "linux":
        raise InterpreterUnavailable(
            f"{name} is compiled on Linux only, on {' or '.join(MACHINES)}, and this is {here}"
        )
    if shutil.which("make") is None:
        raise InterpreterUnavailable(f"compiling {name} takes make, which is not installed")
    zig_environment = FOLDER / "zig"
    environments.ensure(zig_environment, Path(sys.executable), [_ZIG], f"installing {_ZIG}, the compiler (once)")
    (zig,) = zig_environment.glob("lib/python3*/site-packages/ziglang/zig")
    with tempfile.TemporaryDirectory(prefix="polylambda-python-") as scratch:
        folder = Path(scratch)
        say(f"{name}: fetching the source, and Debian's {', '.join(_LIBRARIES)}")
        with tarfile.open(fileobj=io.BytesIO(_source()), mode="r:xz") as archive:
            archive.extractall(folder, filter="data")
        libraries = _static_libraries(machine, folder)
        for program, words in (("cc", f"cc -target {machine}-linux-gnu.{_GLIBC}"), ("ar", "ar"), ("ranlib", "ranlib")):
            (folder / program).write_text(f'#!/bin/sh\nexec "{zig}" {words} "$@"\n')
            (folder / program).chmod(0o755)
        _compile(name, folder, _settings(folder, libraries), [] if machine == here else _cross(machine, here))


def _settings(folder: Path, libraries: Path) -> dict[str, str]:
    """Return what `configure` is to know beside its options; every module goes into the program itself."""
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")},
        "CC": str(folder / "cc"),
        "AR": str(folder / "ar"),
        "RANLIB": str(folder / "ranlib"),
        "CFLAGS": "-fno-sanitize=undefined -w",
        "CPPFLAGS": f"-I{libraries}/include",
        "LDFLAGS": f"-s -L{libraries}/lib",
        "OPT": "-DNDEBUG -O2 -fwrapv",
        "MODULE_BUILDTYPE": "static",
        "PKG_CONFIG": "false",
        "LIBFFI_LIBS": "-lffi",
        "LIBSQLITE3_LIBS": "-lsqlite3 -lm",
        "LIBUUID_LIBS": "-luuid",
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig-cache"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig-cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _cross(machine: str, here: str) -> list[str]:
    own = find(here)
    if own is None:
        raise InterpreterUnavailable(f"a Python for {machine} is made with one for {here}, which is not there")
    return [
        f"--build={here}-linux-gnu",
        f"--host={machine}-linux-gnu",
        f"--with-build-python={own}/bin/python{MINOR}",
        # What a program would have to be run for to find out.
        "ac_cv_file__dev_ptmx=yes",
        "ac_cv_file__dev_ptc=no",
        "ac_cv_buggy_getaddrinfo=no",
    ]


def _compile(name: str, folder: Path, environ: Mapping[str, str], options: Sequence[str]) -> None:
    source = folder / f"Python-{_RELEASE}"
    configure = ["./configure", "--prefix=/install", f"--with-openssl={folder}/libraries", "--with-ensurepip=no"]
    configure += ["--disable-test-modules", *options]
    jobs = f"--jobs={os.cpu_count() or 1}"
    staging = folder / "staging"
    for title, command in (
        ("configuring it", configure),
        ("compiling it, which takes some minutes", ["make", jobs, "all"]),
        ("installing it", ["make", f"DESTDIR={staging}", "install"]),
    ):
        say(f"{name}: {title}")
        done = subprocess.run(
            command, cwd=source, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise InterpreterUnavailable(f"{name}: {' '.join(command)} ended with code {done.returncode}:\n{said}")
        if missing := _MISSING.search(done.stdout):
            say(f"{name}: without {', '.join(missing[1].split())}")
    installed = staging / "install"
    for path in [*installed.rglob("__pycache__"), *installed.rglob("*.a"), installed / f"lib/python{MINOR}/test"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.rmtree(FOLDER / f"{name}.part", ignore_errors=True)
    shutil.move(installed, FOLDER / f"{name}.part")
    (FOLDER / f"{name}.part").rename(FOLDER / name)


def _static_libraries(machine: str, folder: Path) -> Path:
    """Lay out Debian's static libraries and their headers as `include` and `lib`."""
    unpacked, libraries = folder / "unpacked", folder / "libraries"
    _unpack(machine, _LIBRARIES, unpacked, lambda name: name.startswith("usr/include/") or name.endswith(".a"))
    triplet = f"{machine}-linux-gnu"
    shutil.copytree(unpacked / "usr/include", libraries / "include")
    for headers in libraries.glob(f"include/{triplet}"):
        shutil.copytree(headers, libraries / "include", dirs_exist_ok=True)
    shutil.copytree(unpacked / "usr/lib" / triplet, libraries / "lib")
    return libraries


def _ensure_emulation(here: str) -> None:
    say(f"{QEMU.parent.relative_to(ROOT)}: fetching qemu and arm64's C library, which run arm64's Python here")
    part = FOLDER / "emulation.part"
    shutil.rmtree(part, ignore_errors=True)
    _unpack("aarch64", ("libc6", "libgcc-s1"), part / SYSROOT.name, lambda name: name.startswith("lib/"))
    _unpack(here, ("qemu-user-static",), part, lambda name: name.endswith(f"/{QEMU.name}"))
    (part / "usr/bin" / QEMU.name).rename(part / QEMU.name)
    shutil.rmtree(part / "usr")
    part.rename(QEMU.parent)


def _unpack(machine: str, packages: Iterable[str], folder: Path, wanted: Callable[[str], bool]) -> None:
    """Unpack the wanted files of Debian's packages, as its index names them, with the digests that it has."""
    index_url = f"{_DEBIAN}/dists/{_SUITE}/main/binary-{_DEBIAN_NAMES[machine]}/Packages.xz"
    index = lzma.decompress(_fetch(index_url)).decode()
    for package in packages:
        entry = re.search(rf"^Package: {re.escape(package)}\n.*?^$", index, re.DOTALL | re.MULTILINE)
        fields = dict(re.findall(r"^(Filename|SHA256): (.*)$", entry[0], re.MULTILINE)) if entry else {}
        if not fields:
            raise InterpreterUnavailable(f"{index_url} has no {package}")
        with tarfile.open(
            fileobj=io.BytesIO(_data_of(_fetch(f"{_DEBIAN}/{fields['Filename']}", fields["SHA256"])))
        ) as data:
            members = [member for member in data if wanted(member.name.removeprefix("./")) and not member.isdir()]
            data.extractall(folder, members, filter="data")


def _data_of(package: bytes) -> bytes:
    """Return the archive with the files of a .deb, which is an `ar` archive of three members."""
    position = len(b"!<arch>\n")
    while position < len(package):
        head = package[position : position + 60]
        name, size = head[:16].decode().strip(), int(head[48:58])
        if name.startswith("data.tar"):
            return package[position + 60 : position + 60 + size]
        position += 60 + size + size % 2
    raise InterpreterUnavailable("a package of Debian's has no files in it")


def _source() -> bytes:
    try:
        return _fetch(_SOURCES[0], _SOURCE)
    except InterpreterUnavailable:
        return _fetch(_SOURCES[1], _SOURCE)


def _fetch(url: str, digest: str = "") -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            data: bytes = response.read()
    except (OSError, urllib.error.URLError) as error:
        raise InterpreterUnavailable(f"{url} cannot be fetched: {error}") from error
    if digest and hashlib.sha256(data).hexdigest() != digest:
        raise InterpreterUnavailable(f"{url} is not the file that it was: its SHA-256 is not {digest}")
    return data


if __name__ == "__main__":
    try:
        report() if sys.argv[1:] == ["--report"] else ensure()
    except (CommandFailed, InterpreterUnavailable) as error:
        sys.exit(f"error: {error}")
