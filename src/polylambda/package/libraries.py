"""The shared libraries that an interpreter of this machine links to, for a machine that does not have them."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

from polylambda.errors import ConfigurationError

# The C library's, which every Linux has. Never bundled: they belong to the system's dynamic linker.
_SYSTEM = re.compile(r"(linux-vdso|ld-linux.*|lib(c|m|dl|rt|util|pthread|resolv))\.so[.\d]*")
_LINKED = re.compile(r"^\s*(\S+) => (/\S+)", re.MULTILINE)
_NEEDED = re.compile(rb"GLIBC_(\d+)\.(\d+)")


def gather(original: Path, modules: Path, folder: Path, glibc: tuple[int, int]) -> list[str]:
    """Copy into `folder` what a program and the extension modules link to; return what the user should know.

    An extension module that cannot run on the target is removed.

    Args:
        original: the program, where it was installed: it may find its libraries from there only.
        modules: folder of the extension modules.
        folder: for libraries.
        glibc: the target's C library.

    Raises:
        ConfigurationError: the program itself cannot: it was made for a newer C library than `glibc`.
    """
    if (needed := _needs(original, glibc)) is not None:
        raise ConfigurationError(
            f"this machine's Python cannot run on Lambda: {needed[0]} needs glibc {_dotted(needed[1])}, and Lambda has "
            f"{_dotted(glibc)}: let uv fetch one (uv python install), or make a zip for a managed runtime"
        )
    removed: list[str] = []
    for module in sorted(modules.glob("*.so")):
        needed = _needs(module, glibc)
        if needed is None:
            _copy_libraries(module, folder)
        else:
            module.unlink()
            removed.append(f"{module.name.partition('.')[0]} ({needed[0].name} needs glibc {_dotted(needed[1])})")
    _copy_libraries(original, folder)
    if not removed:
        return []
    return [f"Left out of its standard library, because Lambda has glibc {_dotted(glibc)}: {', '.join(removed)}."]


def _needs(binary: Path, glibc: tuple[int, int]) -> tuple[Path, tuple[int, int]] | None:
    """Return what of a binary and its libraries needs a newer C library than `glibc`, and which; None: nothing does."""
    for path in (binary, *_libraries(binary).values()):
        newest = _newest(path)
        if newest > glibc:
            return path, newest
    return None


@functools.cache
def _newest(binary: Path) -> tuple[int, int]:
    """Return the newest version of the C library that a binary needs."""
    return max(((int(a), int(b)) for a, b in _NEEDED.findall(binary.read_bytes())), default=(0, 0))


def _copy_libraries(binary: Path, folder: Path) -> None:
    for name, path in _libraries(binary).items():
        if not (folder / name).exists():
            shutil.copy(path, folder / name)


@functools.cache
def _libraries(binary: Path) -> dict[str, Path]:
    """Return the libraries that the dynamic linker would load for a binary, by the names it looks for."""
    try:
        done = subprocess.run(  # noqa: S603 # no shell
            ["ldd", str(binary)],  # noqa: S607 # the system's, wherever it is
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ConfigurationError("bundling this machine's Python needs ldd, which is not installed") from error
    return {name: Path(path) for name, path in _LINKED.findall(done.stdout) if not _SYSTEM.fullmatch(name)}


def _dotted(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)
