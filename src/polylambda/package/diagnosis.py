"""What a failed start tells: which module is missing, and what to do about it."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_LIBRARY = re.compile(r"([\w.+-]+\.so[.\d]*): cannot open shared object file")
_NEW_GLIBC = re.compile(r"version `(GLIBC_[\d.]+)' not found")

OF_THE_RUNTIME = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"})
"""What Lambda's Python runtimes bring along."""


def lacks_boto3(error: Mapping[str, Any]) -> bool:
    """Tell whether what is missing is something that Lambda's Python runtimes bring along."""
    match = _NO_MODULE.search(str(error.get("errorMessage", "")))
    return match is not None and match[1].partition(".")[0] in OF_THE_RUNTIME


def way_out(error: Mapping[str, Any], root: Path, requirements: str) -> str:
    """Return a sentence on what to do about an error; empty when there is nothing to say.

    Args:
        error: as the platform has it.
        root: the project's folder.
        requirements: name of the file that says what the project depends on.
    """
    message = str(error.get("errorMessage", ""))
    if match := _NO_MODULE.search(message):
        return _missing(match[1], root, requirements)
    if match := _NO_LIBRARY.search(message):
        return (
            f"{match[1]} is a library of the system, which Lambda does not have: require a distribution that brings it in "
            "its wheel, put it into lib/ of the project, or make an image"
        )
    if match := _NEW_GLIBC.search(message):
        return f"a binary needs {match[1]}: package the project's wheels instead of what was compiled on this machine"
    return ""


def _missing(module: str, root: Path, requirements: str) -> str:
    top = module.partition(".")[0]
    for base in (root, root / "src"):
        if (base / f"{top}.py").is_file() or (base / top).is_dir():
            return f"{module} is in the project, but was left out: take it with --include {top}, or move it"
    if top in sys.stdlib_module_names:
        return f"{module} is of the standard library, and this Python does not have it"
    names = metadata.packages_distributions().get(top, ())
    which = f"{' or '.join(sorted(set(names)))}, which has it here," if names else "the distribution that has it"
    advice = f"{module} is not in the package: add {which} to {requirements}"
    if top in OF_THE_RUNTIME:
        advice += "; only Lambda's managed Python runtimes bring their own"
    return advice
