"""What a project depends on, as wheels for the target, whatever the host is: resolved and unpacked by uv."""

from __future__ import annotations

import hashlib
import json
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
    from collections.abc import Sequence

    from polylambda.package.target import Target

_NO_WHEEL = re.compile(
    r"(?:Because|and) (?:all versions of |only )?([\w.\-]+?)([=<>!~]\S+)? (?:has|have) no (?:usable )?wheels"
)
_SOURCE_ONLY = re.compile(r"Building source distributions for `([\w.\-]+)` is disabled")
_EDITABLE = re.compile(r"^\s*(?:-e|--editable)[ =].*$", re.MULTILINE)
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement)[ =]*(\S+)", re.MULTILINE)
_NOT_FOUND = re.compile(r"Because (\S+) was not found")
_NOT_IN_CACHE = re.compile(r"Because (\S+) was not found in the cache|network was disabled")
_BUILDS_PROJECT = "Building source distributions is disabled"
_CONFLICT = f"conflicting URLs for package `{own.NAME}`"
_WITHOUT_HASH = re.compile(r"(?:Hash-checking is required|In `--require-hashes` mode), .*?: `?([\w.\-]+)")
_EXTRAS = re.compile(rf"(?<![\w.]){own.NAME}\s*\[([\w\s,.\-]+)\]")
_STALE = "needs to be updated, but `--locked`"
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
    with tempfile.TemporaryDirectory(prefix="polylambda-package-") as temporary:
        work, words = Path(temporary), list[str]()
        without = wanted.without if wanted.own else (*wanted.without, own.NAME)
        if wanted.requirements is not None:
            words += ["--requirement", str(_readable(uv, wanted.requirements, without, work))]
        wheel = _own_wheel(work) if wanted.own else None
        if wheel is not None:
            words += ["--requirement", str(wheel)]
        excludes = work / "excludes.txt"
        excludes.write_text("".join(f"{name}\n" for name in without))
        words += [word for name in wanted.from_source for word in ("--no-binary", name)]
        words = [
            *("pip", "install", "--target", str(folder), "--excludes", str(excludes), "--only-binary", ":all:"),
            *("--python", sys.executable, "--python-platform", target.platform, "--python-version", target.python),
            *("--no-compile-bytecode", "--no-progress", "--no-python-downloads", "--color", "never"),
            *words,
        ]
        done = run_uv(uv, *words)
        if wheel is not None and wanted.requirements is not None and _names_another_of_ours(done.stderr):
            # By a path, perhaps. Not at once, for whom a dependency asks for extras loses them.
            _add_extras(wheel, wanted.requirements)
            done = run_uv(uv, *words, "--overrides", str(wheel))
    if done.returncode:
        raise ConfigurationError(_explain(done.stderr, target, wanted.requirements))
    _refuse_editable(folder)
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


def _own_wheel(work: Path) -> Path:
    """Write polylambda's wheel, and return a file that requires it."""
    wheel, required = own.write_wheel(work), work / "own.txt"
    # With its hash, for the user's file may ask for the hash of everything.
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    required.write_text(f"{own.NAME} @ {wheel.resolve().as_uri()} --hash=sha256:{digest}\n")
    return required


def _names_another_of_ours(stderr: str) -> bool:
    """Say whether uv failed because of another polylambda; whether it looks into a folder first depends on its cache."""
    source = _SOURCE_ONLY.search(" ".join(stderr.split()))
    return _CONFLICT in stderr or (source is not None and source[1] == own.NAME)


def _add_extras(required: Path, requirements: Path) -> None:
    """Ask for the extras that the requirements ask for."""
    found = (extra for text in _texts(requirements).values() for extra in _EXTRAS.findall(text))
    extras = sorted({extra.strip() for each in found for extra in each.split(",")})
    if extras:
        text = required.read_text(encoding="utf-8")
        required.write_text(text.replace(own.NAME, f"{own.NAME}[{','.join(extras)}]", 1))


def _readable(uv: str, requirements: Path, without: Sequence[str], work: Path) -> Path:
    """Return requirements as `uv pip` takes them: a lock file is written out first."""
    if requirements.name != "uv.lock":
        _refuse_links(requirements)
        return requirements
    written = work / "requirements.txt"
    # polylambda's own wheel comes with it; what polylambda needs is locked all the same.
    done = run_uv(
        uv,
        *("export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--no-progress", "--color", "never"),
        *("--no-editable", "--no-emit-package", own.NAME, *(word for name in without for word in ("--prune", name))),
        *("--project", str(requirements.parent), "--output-file", str(written)),
    )
    if _STALE in done.stderr:
        raise ConfigurationError(
            f"{requirements} does not have what pyproject.toml names by now: bring it up to date with uv lock"
        )
    if done.returncode:
        raise ConfigurationError(f"{requirements} cannot be used: {_last_sentence(done.stderr)}")
    return written


def _refuse_links(requirements: Path) -> None:
    for path, text in _texts(requirements).items():
        if found := _EDITABLE.search(text):
            raise ConfigurationError(
                f"{path.name} has {found[0].strip()!r}, a link to a folder of this machine: leave it away if it is the "
                "project itself, whose files are taken anyway; else require the path or the name without -e"
            )


def _texts(requirements: Path) -> dict[Path, str]:
    """Return the text of a file of requirements, and of those that it includes."""
    texts: dict[Path, str] = {}
    wanted = [requirements]
    while wanted:
        path = wanted.pop(0)
        if path in texts:
            continue
        try:
            texts[path] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        named = (path.parent / name for name in _INCLUDED.findall(texts[path]))
        wanted += [file for file in named if file.is_file()]  # it may be a URL, or uv says that it is missing
    return texts


def _refuse_editable(folder: Path) -> None:
    """Refuse what is no more than a link to a folder of this machine, however it got in."""
    names = {
        path.name.removeprefix("__editable__").strip("_.").partition("-")[0]
        for path in folder.glob("__editable__*.pth")
    }
    for path in folder.glob("*.dist-info/direct_url.json"):
        about = json.loads(path.read_text(encoding="utf-8"))
        if about.get("dir_info", {}).get("editable"):
            names.add(path.parent.name.partition("-")[0])
    if names:
        raise ConfigurationError(
            f"{', '.join(sorted(names))} would be a link to a folder of this machine: require the path or the name without -e"
        )


def run_uv(uv: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run uv, with the user's configuration, quietly."""
    # A virtual environment that happens to be active has no say in what goes to Lambda.
    variables = environment(NO_COLOR="1", UV_NO_PROGRESS="1")
    for name in ("VIRTUAL_ENV", "UV_FROZEN", "UV_LOCKED"):
        variables.pop(name, None)
    command = [uv, *words]
    return subprocess.run(  # noqa: S603 # no shell, and uv is the user's own
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=variables, check=False
    )


def _explain(stderr: str, target: Target, requirements: Path | None = None) -> str:
    """Make a sentence of what uv says when it fails."""
    text, file = " ".join(stderr.split()), requirements.name if requirements is not None else "the command line"
    if match := _NOT_IN_CACHE.search(text):
        return (
            f"{match[1] or 'what is required'} is not in uv's cache, and uv may not use the network: unset UV_OFFLINE, or "
            "set UV_FIND_LINKS to a folder with its wheel"
        )
    if match := _NO_WHEEL.search(text):
        name = match[1]
        if name == "msgspec" and f"{own.NAME}==" in text:
            return f"polylambda does not run on {target}, for msgspec, which it needs, has no wheel for it: name another --python"
        return (
            f"{name}{match[2] or ''} has no wheel for {target} with glibc {target.glibc[0]}.{target.glibc[1]}: require a "
            f"version or a relative of it that has one (psycopg2-binary for psycopg2, say), have it built here with "
            f"--from-source {name} if it is pure Python, or put a wheel into a folder and set UV_FIND_LINKS to it"
        )
    if match := _SOURCE_ONLY.search(text):
        name = match[1]
        return f"{name} is required as source: have it built here with --from-source {name} if it is pure Python"
    if _BUILDS_PROJECT in text:
        way_out = "have a folder that is required built here with --from-source NAME if it is pure Python"
        if file == "pyproject.toml":
            way_out += ", and write dynamic dependencies out: uv pip compile pyproject.toml -o requirements.txt"
        return f"{file} has what is only known when it is built, which is not done unasked: {way_out}"
    if match := _WITHOUT_HASH.search(text):
        return (
            f"{file} requires a hash of everything, and has none of {match[1]}, which it or polylambda needs: add "
            "that with its hashes (uv pip compile --generate-hashes), or leave --require-hashes away"
        )
    if match := _NOT_FOUND.search(text):
        return f"there is no package {match[1]} in the index: correct the requirement, or set UV_INDEX_URL to your own index"
    return f"the requirements cannot be met for {target}: {_last_sentence(stderr)}"


def _last_sentence(stderr: str) -> str:
    """Return what uv says, without what it says before and its hints, and not all of what a failed build prints."""
    lines = [line for line in stderr.splitlines() if not line.startswith(("Using ", "warning:", "hint:"))]
    text = " ".join(" ".join(lines).split())
    cause = text.rpartition("cause: ")[2] or text
    cause = cause.removeprefix("error: ").rstrip(".")
    if len(cause) > _LONG:
        cause = f"{cause[: _LONG // 4]} ... {cause[-_LONG * 3 // 4 :]}"
    return cause or "uv failed and said nothing"
