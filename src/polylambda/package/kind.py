"""What is made; apart from how, so that the command line knows the words without all that makes it."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What is made."""

    ZIP = "zip"
    BOOTSTRAP = "bootstrap"
    IMAGE = "image"
    LAYER = "layer"

    @property
    def usual_name(self) -> str:
        """How its file or folder is named when nobody says another."""
        return _NAMES[self]


_NAMES = {
    Kind.ZIP: "function.zip",
    Kind.BOOTSTRAP: "bootstrap.zip",
    Kind.IMAGE: "image",
    Kind.LAYER: "layer.zip",
}
