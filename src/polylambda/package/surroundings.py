"""What is around a function on Lambda, as far as this machine can give it: the command, the Python, the variables."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package import dependencies, interpreters, scripts
from polylambda.package.target import machine_of, target_of

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.package.label import Label
    from polylambda.package.layout import Laid

_MANAGED = "/var/runtime/bootstrap.py"
"""What a wrapper's last argument is on Lambda; ours does not run it."""
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How an artifact is run.

    Attributes:
        command: that Lambda would run.
        variables: all that the process gets, without those of the Runtime API.
        handler: the handler's name.
        note: which Python it is.
        runtime: folder that stands for /var/runtime, where Lambda's Python runtimes have a boto3; None: there is none.
    """

    command: list[str]
    variables: dict[str, str]
    handler: str
    note: str
    runtime: Path | None = None


def surroundings_of(laid: Laid, folder: Path, *, handler: str, python: str) -> Surroundings:
    """Find out how Lambda would run what was laid out.

    Args:
        laid: what is to be run.
        folder: where an environment for Python is made.
        handler: the handler's name, when the artifact does not tell.
        python: version of Python, when the artifact does not tell.

    Raises:
        ConfigurationError: Lambda would not run it with polylambda, or this machine cannot run it.
    """
    label = laid.label
    if label is not None:
        handler, python = label.handler, label.python
        _check_machine(label)
    if not handler:
        raise ConfigurationError(
            "something else made this artifact, and nobody says which handler to run: name it in [tool.polylambda] of "
            "pyproject.toml, or make the artifact with `polylambda package`"
        )
    kind = label.kind if label is not None else "bootstrap" if laid.bootstrap else "zip"
    variables = _variables(laid, python, managed=kind == "zip")
    if kind == "bootstrap":
        if laid.bootstrap is None or not os.access(laid.bootstrap, os.X_OK):
            raise ConfigurationError("Lambda runs the file bootstrap, which is not there or may not be executed")
        return Surroundings(command=[str(laid.bootstrap)], variables=variables, handler=handler, note="its own Python")
    own, version = _python(python, folder)
    note = f"Python {version}"
    if kind == "image":
        command = [str(own), "-m", "polylambda", handler]
        return Surroundings(command=command, variables=variables, handler="", note=note)
    if laid.wrapper is None:
        raise ConfigurationError(
            f"there is no {scripts.WRAPPER} in it, so Lambda would run it without polylambda: make it without --no-wrapper, "
            "or name the layer that has one with --layer"
        )
    variables["AWS_LAMBDA_EXEC_WRAPPER"] = str(laid.wrapper)
    command = [str(laid.wrapper), str(own), _MANAGED]
    runtime = folder / "var" / "runtime"
    return Surroundings(command=command, variables=variables, handler=handler, note=note, runtime=runtime)


def add_boto3(around: Surroundings, python: str) -> Surroundings:
    """Give a function the boto3 that a managed runtime of this Python has, or nearly so.

    Raises:
        ConfigurationError: it cannot be had.
    """
    assert around.runtime is not None
    found = dependencies.install_boto3(target_of(python, platform.machine()), around.runtime)
    variables = {**around.variables, "PYTHONPATH": f"{around.variables['PYTHONPATH']}:{around.runtime}"}
    note = f"{around.note} with boto3 {found}, which stands for Lambda's own"
    return replace(around, variables=variables, note=note)


def _check_machine(label: Label) -> None:
    if sys.platform != "linux" or machine_of(platform.machine()) != machine_of(label.architecture):
        raise ConfigurationError(
            f"the artifact is for Linux on {label.architecture}, and this machine is {sys.platform} on {platform.machine()}: "
            "check it on such a machine, in a container for example, or check one that was made for this machine (--arch)"
        )


def _python(version: str, folder: Path) -> tuple[Path, str]:
    """Make an environment with nothing installed in it; return its Python and the full version."""
    found = interpreters.find(version)
    if found is None:
        raise ConfigurationError(
            f"the artifact is for Python {version}, which this machine does not have: install it "
            f"(uv python install {version}), or make one for a Python that is here (--python)"
        )
    environment = folder / "var" / "lang"
    done = subprocess.run(  # noqa: S603 # no shell, and the Python is the user's own
        [str(found.executable), "-m", "venv", "--without-pip", str(environment)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigurationError(f"{found.executable} cannot make a virtual environment: {done.stderr.strip()}")
    return environment / "bin" / "python", found.version


def _variables(laid: Laid, python: str, *, managed: bool) -> dict[str, str]:
    """Return what Lambda sets, but for what the Runtime API's side knows.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    opt, task = laid.opt, laid.task
    variables = {
        "PATH": f"{_SYSTEM_PATH}:{opt}/bin",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{task}:{task}/lib:{opt}/lib",
        "TMPDIR": str(laid.tmp),
        "HOME": str(laid.tmp),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        # The task root is read-only on Lambda, and perhaps not here.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if managed:
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{python}"
        variables["PYTHONPATH"] = f"{opt}/python/lib/python{python}/site-packages:{opt}/python"
    return variables
