"""What a project depends on, as wheels for the target, whatever the host is: resolved and unpacked by uv."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package import own
from polylambda.settings import environment

if TYPE_CHECKING:
    from polylambda.package.target import Target

_NO_WHEEL = re.compile(
    r"(?:Because|and) (?:all versions of |only )?([\w.\-]+?)([=<>!~]\S+)? (?:has|have) no (?:usable )?wheels"
)
_SOURCE_ONLY = re.compile(r"Building source distributions for `([\w.\-]+)` is disabled")
_EDITABLE = re.compile(r"^\s*(?:-e|--editable)[ =].*$", re.MULTILINE)
_NOT_FOUND = re.compile(r"Because (\S+) was not found")
_INSTALLED = re.compile(r"^ \+ ([\w.\-]+)==(\S+)", re.MULTILINE)

_LONG = 400
"""Characters of uv's that are passed on."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What goes beside the project's own files.

    Attributes:
        requirements: file with the project's requirements, in any form that uv reads; None: there are none.
        own: polylambda itself is one of them.
        without: distributions that are left out with all that only they need; Lambda or a layer has them.
        from_source: distributions that may be built here, because there is no wheel of them.
    """

    requirements: Path | None = None
    own: bool = True
    without: tuple[str, ...] = ()
    from_source: tuple[str, ...] = ()


def install(wanted: Dependencies, target: Target, folder: Path) -> list[tuple[str, str]]:
    """Unpack all wheels into `folder`; return the names and versions of their distributions.

    Raises:
        ConfigurationError: uv is missing, or cannot find what is wanted: it has no wheel for the target, for example.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if wanted.requirements is None and not wanted.own:
        return []
    uv = find_uv()
    with tempfile.TemporaryDirectory(prefix="polylambda-package-") as work:
        words: list[str] = []
        if wanted.requirements is not None:
            words += ["--requirement", str(_readable(uv, wanted.requirements, Path(work)))]
        if wanted.own:
            words.append(str(own.write_wheel(Path(work))))
        without = wanted.without if wanted.own else (*wanted.without, own.NAME)
        excludes = Path(work, "excludes.txt")
        excludes.write_text("".join(f"{name}\n" for name in without))
        for name in wanted.from_source:
            words += ["--no-binary", name]
        done = run_uv(
            uv,
            *("pip", "install", "--target", str(folder), "--excludes", str(excludes), "--only-binary", ":all:"),
            *("--python", sys.executable, "--python-platform", target.platform, "--python-version", target.python),
            *("--no-compile-bytecode", "--no-progress", "--no-python-downloads", "--color", "never"),
            *words,
        )
    if done.returncode:
        raise ConfigurationError(_explain(done.stderr, target))
    (folder / ".lock").unlink(missing_ok=True)
    return sorted(_INSTALLED.findall(done.stderr))


def install_boto3(target: Target, folder: Path) -> str:
    """Unpack boto3 and what it needs into `folder`, as a managed runtime has them; return its version.

    Raises:
        ConfigurationError: uv is missing, or cannot get it.
    """
    with tempfile.TemporaryDirectory(prefix="polylambda-package-") as work:
        requirements = Path(work, "requirements.txt")
        requirements.write_text("boto3\n")
        return dict(install(Dependencies(requirements, own=False), target, folder))["boto3"]


def find_uv() -> str:
    """Return the path of uv: of the package beside us, else the one on PATH.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        import uv

        return uv.find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise ConfigurationError("packaging needs uv, which is not installed: pip install 'polylambda[package]'")
    return found


def _readable(uv: str, requirements: Path, work: Path) -> Path:
    """Return requirements as `uv pip` takes them: a lock file is written out first."""
    if requirements.name != "uv.lock":
        _refuse_links(requirements)
        return requirements
    written = work / "requirements.txt"
    done = run_uv(
        uv,
        *("export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-progress", "--color", "never"),
        *("--project", str(requirements.parent), "--output-file", str(written)),
    )
    if done.returncode:
        raise ConfigurationError(f"{requirements} cannot be used: {_last_sentence(done.stderr)}")
    return written


def _refuse_links(requirements: Path) -> None:
    try:
        found = _EDITABLE.search(requirements.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{requirements} cannot be read: {error}") from error
    if found is not None:
        raise ConfigurationError(
            f"{requirements.name} has {found[0].strip()!r}, a link to a folder of this machine: leave it away if it is the "
            "project itself, whose files are taken anyway; else require the path or the name without -e"
        )


def run_uv(uv: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run uv, with the user's configuration, quietly."""
    # A virtual environment that happens to be active has no say in what goes to Lambda.
    variables = environment(NO_COLOR="1", UV_NO_PROGRESS="1")
    variables.pop("VIRTUAL_ENV", None)
    command = [uv, *words]
    return subprocess.run(  # noqa: S603 # no shell, and uv is the user's own
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=variables, check=False
    )


def _explain(stderr: str, target: Target) -> str:
    """Make a sentence of what uv says when it fails."""
    text = " ".join(stderr.split())
    if match := _NO_WHEEL.search(text):
        name = match[1]
        return (
            f"{name}{match[2] or ''} has no wheel for {target} with glibc {target.glibc[0]}.{target.glibc[1]}: require a "
            f"version or a relative of it that has one (psycopg2-binary for psycopg2, say), have it built here with "
            f"--from-source {name} if it is pure Python, or put a wheel into a folder and set UV_FIND_LINKS to it"
        )
    if match := _SOURCE_ONLY.search(text):
        return _of_source(match[1])
    if match := _NOT_FOUND.search(text):
        return f"there is no package {match[1]} in the index: correct the requirement, or set UV_INDEX_URL to your own index"
    return f"the requirements cannot be met for {target}: {_last_sentence(stderr)}"


def _of_source(name: str) -> str:
    if name == own.NAME:
        return f"{name} is taken from the installation that runs this command: require it by its name alone, without a path"
    return f"{name} is required as source: have it built here with --from-source {name} if it is pure Python"


def _last_sentence(stderr: str) -> str:
    """Return what uv says, without what it says before and its hints, and not all of what a failed build prints."""
    lines = [line for line in stderr.splitlines() if not line.startswith(("Using ", "warning:", "hint:"))]
    text = " ".join(" ".join(lines).split())
    cause = text.rpartition("cause: ")[2] or text
    cause = cause.removeprefix("error: ").rstrip(".")
    if len(cause) > _LONG:
        cause = f"{cause[: _LONG // 4]} ... {cause[-_LONG * 3 // 4 :]}"
    return cause or "uv failed and said nothing"
