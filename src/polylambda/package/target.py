"""What an artifact is made for: a Python, an architecture, and the C library of Lambda's system."""

from __future__ import annotations

import re
from dataclasses import dataclass

from polylambda.errors import ConfigurationError

DEFAULT_PYTHON = "3.13"
DEFAULT_ARCHITECTURE = "x86_64"

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
"""Every spelling of an architecture, and the one that Python's tags and uv have for it."""

_LAMBDA_NAMES = {"x86_64": "x86_64", "aarch64": "arm64"}
_PYTHON = re.compile(r"(?:python)?3\.(\d+)")
_OLDEST_MINOR = 11
_NEWEST_MINOR = 14  # of Lambda's managed runtimes
_AMAZON_LINUX_2 = {11}  # minor versions whose managed runtime has that system, with glibc 2.26; later ones have 2023


@dataclass(frozen=True, slots=True)
class Target:
    """A Python on Lambda.

    Attributes:
        python: its version, such as `3.13`.
        architecture: `x86_64` or `arm64`, as Lambda has it.
        glibc: the newest version of the C library that wheels may need.
    """

    python: str = DEFAULT_PYTHON
    architecture: str = DEFAULT_ARCHITECTURE
    glibc: tuple[int, int] = (2, 34)

    @property
    def runtime(self) -> str:
        """The managed runtime's name, such as `python3.13`."""
        return f"python{self.python}"

    @property
    def machine(self) -> str:
        """The architecture as Linux and the tags of wheels have it: `x86_64` or `aarch64`."""
        return ARCHITECTURES[self.architecture]

    @property
    def platform(self) -> str:
        """The platform as uv has it. uv knows none between manylinux2014 and 2.28."""
        return f"{self.machine}-manylinux_2_34" if self.glibc >= (2, 34) else f"{self.machine}-manylinux2014"

    def __str__(self) -> str:
        """Say it for people: `Python 3.13 on arm64`."""
        return f"Python {self.python} on {self.architecture}"


def target_of(python: str, architecture: str, *, own_system: bool = False) -> Target:
    """Return the target that two words mean.

    Args:
        python: `3.13` or `python3.13`.
        architecture: any usual name of it.
        own_system: it runs on Amazon Linux 2023 whatever the Python, as `provided.al2023` and images do.

    Raises:
        ConfigurationError: Lambda has no such Python or architecture, or polylambda does not run on it.
    """
    match = _PYTHON.fullmatch(python)
    if match is None or int(match[1]) < _OLDEST_MINOR:
        raise ConfigurationError(
            f"--python is {python!r}: it takes 3.{_OLDEST_MINOR} or newer, such as {DEFAULT_PYTHON}"
        )
    if int(match[1]) > _NEWEST_MINOR and not own_system:
        raise ConfigurationError(
            f"--python is {python!r}, and Lambda's newest runtime is python3.{_NEWEST_MINOR}: name that or an older one, or "
            "make a zip with its own Python (--kind bootstrap)"
        )
    if architecture not in ARCHITECTURES:
        raise ConfigurationError(f"--arch is {architecture!r}: Lambda has x86_64 and arm64")
    minor = int(match[1])
    old = minor in _AMAZON_LINUX_2 and not own_system
    return Target(f"3.{minor}", _LAMBDA_NAMES[ARCHITECTURES[architecture]], (2, 26) if old else (2, 34))


def machine_of(name: str) -> str:
    """Return an architecture as the tags of wheels have it, from any usual name of it."""
    return ARCHITECTURES.get(name.lower(), name)
