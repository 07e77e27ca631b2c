"""What Lambda takes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.package.stage import Weight

MIB = 1024 * 1024
MAX_UNZIPPED = 250 * MIB
"""Of a zip file and its layers together."""
MAX_UPLOAD = 50 * MIB
"""Of a zip file that is uploaded without S3."""

_NAMED = 5


def check_unzipped(size: int, weights: Sequence[Weight], own: Sequence[Weight] = ()) -> None:
    """Refuse what Lambda would refuse.

    Args:
        size: bytes of all files.
        weights: the parts, heaviest first.
        own: the project's own files, heaviest first; they are named if they are most of it.

    Raises:
        ConfigurationError: it is too large unpacked; the message names what is heaviest.
    """
    if size > MAX_UNZIPPED:
        heaviest = _named(weights)
        if sum(weight.size for weight in own) > size // 2:
            heaviest = f"{heaviest}; of your code {_named(own)}"
        raise ConfigurationError(
            f"the package has {in_mib(size)} unpacked, and Lambda takes {in_mib(MAX_UNZIPPED)}; heaviest are {heaviest}: "
            "leave some out (--without, --exclude), or make an image (--kind image), which may have 10 GB"
        )


def _named(weights: Sequence[Weight]) -> str:
    return ", ".join(f"{weight.name} ({in_mib(weight.size)})" for weight in weights[:_NAMED])


def in_mib(size: int) -> str:
    """Write a size for people."""
    return f"{size / MIB:.1f} MiB" if size >= MIB / 10 else f"{size / 1024:.1f} KiB"
