"""New projects: what `polylambda init` writes.

The files are in `projects/`, as they are written but for a few words in double braces. A kind of project is made of several
folders there; where two have a file of the same name, the later one's is taken.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import polylambda
from polylambda.errors import ConfigurationError
from polylambda.package.dependencies import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECTS = Path(__file__).parent / "projects"
LOCAL = "local.mk"
"""The one file that is about this machine."""

_RENAMED = {"gitignore": ".gitignore"}  # under its own name it would hide files of ours from git and from the wheel
_ABOUT_LOCAL = (
    "# About this machine only, so git ignores it. Without it, make takes python3, and must be told POLYLAMBDA_FROM.\n"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of project.

    Attributes:
        about: what its function does, one sentence.
        folders: below `projects/`, that it is made of.
        event: file in `events/` that its package is tried with.
        request: commands that reach it on this machine.
        deployed: how to reach it on AWS.
    """

    about: str
    folders: tuple[str, ...]
    event: str
    request: str
    deployed: str


_INVOKED = """\
```console
$ aws lambda invoke --function-name FUNCTION --payload fileb://events/{event} out.json
```

FUNCTION is what `sam deploy` prints at its end: the name of the function, or the alias `live` of the managed one."""
_CALLED = "`sam deploy` prints the URL at its end."


def _invoked(name: str, about: str, event: str) -> Kind:
    request = f"$ curl -d @events/{event} http://127.0.0.1:7000/invoke"
    return Kind(about, ("common", name), event, request, _INVOKED.format(event=event))


def _called(name: str, about: str, event: str, *requests: str) -> Kind:
    return Kind(about, ("common", "http", name), event, "\n".join(f"$ curl {each}" for each in requests), _CALLED)


KINDS: Mapping[str, Kind] = {
    "hello": _invoked("hello", "A function that greets: a typed event in, a typed result out.", "hello.json"),
    "streaming": _called(
        "streaming",
        "A function that counts down: each number reaches the caller as soon as it is written.",
        "countdown.json",
        "-N http://127.0.0.1:7000/",
        "-N 'http://127.0.0.1:7000/?from=5'",
    ),
    "background": _invoked("background", "A function that answers first and works afterwards.", "report.json"),
    "web": _called(
        "web",
        "A web application: FastAPI on Lambda, with a response that is streamed.",
        "index.json",
        "http://127.0.0.1:7000/",
        """-d '{"item": "tea"}' -H 'Content-Type: application/json' http://127.0.0.1:7000/orders""",
        "-N http://127.0.0.1:7000/countdown",
    ),
}
"""By the names that `polylambda init` takes."""


def create(kind: str, folder: Path) -> list[Path]:
    """Write a new project.

    Args:
        kind: one of KINDS.
        folder: of the project; made, unless it is there and empty.

    Returns:
        The files, relative to the folder, in order.

    Raises:
        ConfigurationError: there is no such kind, the folder has something in it, or it cannot be written to.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"there is no kind of project {kind!r}: choose one of {', '.join(KINDS)}")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file: name a folder for the project")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} has files in it: name an empty folder, or one that is not there yet")
    chosen = KINDS[kind]
    words = {
        "{{name}}": name_of(folder),
        "{{about}}": chosen.about,
        "{{event}}": chosen.event,
        "{{try}}": chosen.request,
        "{{deployed}}": chosen.deployed,
    }
    texts = {path: _filled_in(source.read_text(encoding="utf-8"), words) for path, source in _sources(chosen)}
    texts[Path(LOCAL)] = _local()
    try:
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be written: {error.strerror}") from error
    return sorted(texts)


def name_of(folder: Path) -> str:
    """Return a name for a project in `folder` that CloudFormation takes for a stack.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:100].rstrip("-")
    return name if name[:1].isalpha() else f"function-{name}".rstrip("-")


def source_of_polylambda() -> str:
    """Return what pip needs besides the name to install this very polylambda, as `@ URL`; empty for one from an index.

    An installation from a folder, a wheel or a repository knows where it came from (PEP 610), and an index may not have it.
    """
    try:
        distribution = importlib.metadata.distribution("polylambda")
    except importlib.metadata.PackageNotFoundError:
        checkout = Path(polylambda.__file__).parents[2]
        return f"@ {checkout.as_uri()}" if (checkout / "pyproject.toml").exists() else ""
    recorded = distribution.read_text("direct_url.json")
    if recorded is None:
        return ""
    origin = cast("dict[str, Any]", json.loads(recorded))
    url = str(origin["url"])
    if "vcs_info" in origin:
        return f"@ {origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    if url.startswith("file:") and not Path(unquote(urlsplit(url).path)).exists():
        return ""  # what it was installed from is gone
    return f"@ {url}"


def _local() -> str:
    """What only this machine knows: the Python and the uv that run here, and where this polylambda comes from."""
    values = {"PYTHON": sys.executable, "POLYLAMBDA_FROM": source_of_polylambda()}
    with contextlib.suppress(ConfigurationError):
        values["UV"] = find_uv()
    return _ABOUT_LOCAL + "".join(f"{name} ?= {_escaped(value)}\n" for name, value in values.items() if value)


def _sources(kind: Kind) -> Iterator[tuple[Path, Path]]:
    """The files of a project, as paths in it, with where their text is."""
    found: dict[Path, Path] = {}
    for folder in kind.folders:
        for source in sorted((PROJECTS / folder).rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                path = source.relative_to(PROJECTS / folder)
                found[path.with_name(_RENAMED.get(path.name, path.name))] = source
    return iter(found.items())


def _filled_in(text: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def _escaped(value: str) -> str:
    """Write a value as a makefile has it."""
    return value.replace("$", "$$").replace("#", r"\#")
