"""What is checked of a documentation's fenced blocks that are not run: that they are what they say they are."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import yaml

from polylambda.cli.commands import app

_NAME = re.compile(r"(?:#|//|--) ([\w./-]+\.\w+|\w+file)\n")
_DOCKERFILE = re.compile(r"(FROM|ARG|ENV|COPY|ADD|RUN|WORKDIR|USER|ENTRYPOINT|CMD|LABEL|EXPOSE) \S")


class _Template(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions, such as `!Ref`."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {node.value}")


def name_of(source: str) -> str:
    """Return the name of the file that a block is, from the comment in its first line; empty if it is none."""
    named = _NAME.match(source)
    return named[1] if named else ""


def apply(diff: str, source: str) -> str:
    """Apply a diff whose hunks have no line numbers: what they replace must be there once."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = [line if line.strip() else " \n" for line in hunk.splitlines(keepends=True)]
        assert {line[0] for line in lines} <= set(" -+"), hunk
        before, after = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    return source


def _shell(source: str) -> None:
    for line in source.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ")
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        words = shlex.split(re.split(r" (?:[|>;]|&&) ", command)[0], comments=True)
        if words[:1] == ["polylambda"]:
            app.parse_args(words[1:], print_error=False, exit_on_error=False)


def _dockerfile(source: str) -> None:
    lines = re.sub(r"\\\n", " ", source).splitlines()
    for line in lines:
        assert not line or line.startswith("#") or _DOCKERFILE.match(line), line
        if re.match(r"(ENTRYPOINT|CMD) \[", line):
            json.loads(line.split(" ", 1)[1])


def _ini(source: str) -> None:
    configparser.ConfigParser().read_string(source)


def _yaml(source: str) -> None:
    yaml.load(source, Loader=_Template)  # a SafeLoader


def _json(source: str) -> None:
    for value in source.strip().split("\n\n") if "\n\n" in source else [source]:
        json.loads(value)


def _shown(source: str) -> None:
    """For people only."""


PARSED: dict[str, Callable[[str], None]] = {
    "dockerfile": _dockerfile,
    "ini": _ini,
    "json": _json,
    "sh": _shell,
    "text": _shown,
    "toml": lambda source: tomllib.loads(source) and None,
    "yaml": _yaml,
}


def write(folder: Path, name: str, source: str) -> None:
    """Write a block to the file that it is."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
