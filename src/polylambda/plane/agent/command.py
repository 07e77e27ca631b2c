"""How a function is started: the command for its runtime, and the environment variables that it finds."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polylambda
from polylambda.errors import ConfigurationError, PolylambdaError
from polylambda.package import interpreters
from polylambda.package.label import read_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.specs import EnvironmentSpec

PROBE_TIMEOUT = 20.0  # seconds that an interpreter has to show that it can import polylambda

# What a function inherits of the machine: where programs, certificates and proxies are, and the developer's credentials.
# Nothing else, for on Lambda there is nothing else.
INHERITED = (
    *("PATH", "LD_LIBRARY_PATH", "LC_ALL", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED"),
)

AWS_FILES = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}


_OWN_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"

_OWN_WRAPPER = "/polylambda-wrapper"
"""What `polylambda package` puts into zips and layers."""


class CannotRun(PolylambdaError):
    """There is no way to start the function.

    Attributes:
        error_type: AWS's name for what is wrong.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Command(NamedTuple):
    """Program and arguments, the folder for PYTHONPATH if one is needed, and what the developer should know."""

    words: tuple[str, ...]
    python_path: str = ""
    note: str = ""


class Commands:
    """The commands of one instance. What interpreters can do is found out once."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Keep what is needed in `folder`; `environ` says where programs are."""
        self._folder = folder
        self._environ = environ
        self._pythons: dict[str, asyncio.Task[Command]] = {}
        self._interpreters: dict[str, interpreters.Interpreter | None] = {}

    async def command(self, spec: EnvironmentSpec) -> Command:
        """Return what runs the function.

        Raises:
            CannotRun: nothing does.
        """
        if not os.path.isdir(spec.code):  # noqa: ASYNC240 # a look at a local folder
            raise CannotRun("Runtime.InvalidWorkingDir", f"the function's code is to be in {spec.code}: no such folder")
        if spec.runtime.startswith("provided"):
            return _bootstrap(spec)
        if not spec.runtime.startswith("python3."):
            message = f"runtime {spec.runtime} does not run here; python3.* does, and provided.* with a bootstrap"
            raise CannotRun("Runtime.InvalidEntrypoint", message)
        python = await self._packaged(spec)
        if python is None:
            task = self._pythons.get(spec.runtime)
            if task is None:
                task = self._pythons[spec.runtime] = asyncio.create_task(self._python(spec.runtime))
            python = await asyncio.shield(task)
        wrapper = spec.variables.get("AWS_LAMBDA_EXEC_WRAPPER", "")
        if wrapper.endswith(_OWN_WRAPPER):  # there on Lambda only, and what it would start is what runs here
            wrapper = ""
        words = (*((wrapper,) if wrapper else ()), *python.words, spec.handler)
        return python._replace(words=words)

    async def close(self) -> None:
        """Wait for what is being found out."""
        for task in self._pythons.values():
            task.cancel()
        if self._pythons:
            await asyncio.wait(self._pythons.values())

    async def _packaged(self, spec: EnvironmentSpec) -> Command | None:
        """What runs a zip of `polylambda package`: that brings the runtime along, and wheels for one Python only."""
        try:
            label = read_label(Path(spec.code))
        except ConfigurationError as error:
            raise CannotRun("Runtime.InvalidEntrypoint", str(error)) from None
        if label is None or label.kind != "zip" or not label.wrapper:
            return None
        runtime = f"python{label.python}"
        if runtime != spec.runtime:
            message = f"the function's zip is for {runtime}, and its runtime is {spec.runtime}: package it for that one"
            raise CannotRun("Runtime.InvalidEntrypoint", message)
        if label.python not in self._interpreters:
            self._interpreters[label.python] = await asyncio.to_thread(interpreters.find, label.python)
        interpreter = self._interpreters[label.python]
        if interpreter is None:
            message = f"the function's zip is for {runtime}, which this machine does not have: uv python install {label.python}"
            raise CannotRun("Runtime.InvalidEntrypoint", message)
        return Command((str(interpreter.executable), "-m", "polylambda"), spec.code)

    async def _python(self, runtime: str) -> Command:
        own = (sys.executable, "-m", "polylambda")
        if runtime == _OWN_VERSION:
            return Command(own)
        interpreter = shutil.which(runtime, path=self._environ.get("PATH"))
        problem = f"this machine has no {runtime}"
        if interpreter is not None:
            # A folder with polylambda alone: what else is installed beside it is for another Python.
            package = self._folder / "python" / "polylambda"
            package.parent.mkdir(exist_ok=True)
            with suppress(FileExistsError):
                package.symlink_to(Path(polylambda.__file__).parent)
            python_path = str(package.parent)
            if await self._can_import(interpreter, python_path):
                return Command((interpreter, "-m", "polylambda"), python_path)
            problem = f"{interpreter} cannot import polylambda and msgspec"
        return Command(own, note=f"{problem}: the function runs on {_OWN_VERSION}, with which the plane runs")

    async def _can_import(self, interpreter: str, python_path: str) -> bool:
        environ = {"PATH": self._environ.get("PATH", os.defpath), "PYTHONPATH": python_path}
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
        process = await asyncio.create_subprocess_exec(
            *(interpreter, "-c", "import msgspec, polylambda.runtime.runtime"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ,
        )
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def variables(
    spec: EnvironmentSpec, command: Command, *, inherited: Mapping[str, str], folder: Path, marks: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of an environment, but for those that the Runtime API server's `FunctionConfiguration` knows.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

    Args:
        spec: of the environment.
        command: that runs it.
        inherited: the agent's own variables.
        folder: of the environment; its `tmp` is the function's /tmp.
        marks: what tells the processes of this plane from others.
    """
    tmp = str(folder / "tmp")
    environ = {name: inherited[name] for name in INHERITED if name in inherited}
    environ |= {
        "AWS_LAMBDA_LOG_LEVEL": spec.application_log_level,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "HOME": tmp,
        "TMPDIR": tmp,
    }
    environ.setdefault("LANG", "en_US.UTF-8")
    for name, file in AWS_FILES.items():  # HOME is another now
        path = Path(inherited.get("HOME", "/"), ".aws", file)
        if name not in environ and path.is_file():
            environ[name] = str(path)
    if command.python_path:
        environ["PYTHONPATH"] = command.python_path
    environ |= spec.variables
    if spec.runtime.startswith("python"):
        environ["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{spec.runtime}"
    return {**environ, **marks}


def _bootstrap(spec: EnvironmentSpec) -> Command:
    path = Path(spec.code, "bootstrap")
    if not path.is_file():
        raise CannotRun(
            "Runtime.InvalidEntrypoint", f"{spec.runtime} runs the file bootstrap in the code: there is none"
        )
    if not os.access(path, os.X_OK):
        message = "the file bootstrap in the code may not be executed: chmod 755 bootstrap, then package it again"
        raise CannotRun("Runtime.InvalidEntrypoint", message)
    return Command((str(path),))
