"""polylambda itself as a wheel, from the running installation: also from an editable one, and with no index that has it.

Only what runs in Lambda is put in; the local server, the plane and the tools stay on the developer's machine.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import polylambda
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "polylambda"
NOT_IN_LAMBDA = frozenset({"check", "cli", "local", "package", "plane", "server", "testing"})
"""What the runtime never imports."""

_METADATA = ("METADATA", "licenses/LICENSE")
_WHEEL = "Wheel-Version: 1.0\nGenerator: polylambda package\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_TIME = (1980, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """Write the wheel into `folder`; return its path.

    Raises:
        ConfigurationError: polylambda runs from source files that were never installed.
    """
    try:
        distribution = metadata.distribution(NAME)
    except metadata.PackageNotFoundError as error:
        message = f"{NAME} in {Path(polylambda.__file__).parent} is not installed: pip install it, then package again"
        raise ConfigurationError(message) from error
    version = distribution.version
    info = f"{NAME}-{version}.dist-info"
    wheel = folder / f"{NAME}-{version}-py3-none-any.whl"
    files = dict(_modules())
    for name in _METADATA:
        text = distribution.read_text(name)
        if text is not None:
            files[f"{info}/{name}"] = text.encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), data)
    return wheel


def _modules() -> Iterator[tuple[str, bytes]]:
    package = Path(polylambda.__file__).parent
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package)
        if path.suffix in (".py", ".typed") and name.parts[0] not in NOT_IN_LAMBDA:
            yield f"{NAME}/{name.as_posix()}", path.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
