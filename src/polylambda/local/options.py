"""How a local server is set up, and where that comes from: arguments, then environment variables, then defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from polylambda.errors import ConfigurationError
from polylambda.runtime.layout import parse_max_concurrency
from polylambda.server.function import FunctionConfiguration
from polylambda.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7000
DEFAULT_ENDPOINT = "/invoke"
DEFAULT_TIMEOUT = 300.0  # as in AWS's emulator
DEFAULT_QUEUE_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The set-up of a local server.

    Attributes:
        host: address to listen on.
        port: TCP port to listen on; 0 takes a free one.
        endpoint: path of the invocation endpoint.
        timeout: seconds that an invocation may take.
        concurrency: invocations that the runtime may hold at once, which is also its AWS_LAMBDA_MAX_CONCURRENCY;
            None: as many as that variable says.
        queue_limit: invocations that may wait while the runtime is busy; the callers of more are told 429.
        env_file: file of KEY=VALUE lines for the runtime; it wins over the environment.
        handler: name of the handler, for `_HANDLER`; empty when the command knows it.
        watch: folders whose changes start the runtime anew; none by default.
        watch_python_only: changes of other files than Python's do not count.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    endpoint: str = DEFAULT_ENDPOINT
    timeout: float = DEFAULT_TIMEOUT
    concurrency: int | None = None
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    env_file: Path | None = None
    handler: str = ""
    watch: tuple[Path, ...] = ()
    watch_python_only: bool = True

    @property
    def limit(self) -> int:
        """Invocations that may be under way: those that run, and those that wait."""
        return (self.concurrency or 1) + self.queue_limit


def host_of(settings: Settings) -> str:
    """Return the address to listen on, LOCAL_LAMBDA_HOST."""
    return settings.local_host or DEFAULT_HOST


def port_of(settings: Settings) -> int:
    """Return the port to listen on, LOCAL_LAMBDA_PORT.

    Raises:
        ConfigurationError: it is no port.
    """
    text = settings.local_port
    if text is None:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ConfigurationError(f"LOCAL_LAMBDA_PORT is {text!r}: it must be a port, a number from 0 to 65535")
    return int(text)


def endpoint_of(settings: Settings) -> str:
    """Return the path of the invocation endpoint, LOCAL_LAMBDA_INVOCATION_ENDPOINT."""
    text = settings.local_invocation_endpoint or DEFAULT_ENDPOINT
    return text if text.startswith("/") else f"/{text}"


def from_settings(settings: Settings) -> Options:
    """Return the options that the environment alone asks for.

    Raises:
        ConfigurationError: a variable has a value that it cannot have.
    """
    return Options(host=host_of(settings), port=port_of(settings), endpoint=endpoint_of(settings))


def runtime_environment(options: Options) -> dict[str, str]:
    """Return the environment variables that a runtime inherits: ours, overridden by the env file.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    # Our own are passed on, not read. Without buffering, what the function prints is seen when it prints it.
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    path = options.env_file
    if path is None:
        return environ
    try:
        with path.open(encoding="utf-8") as file:
            values = dotenv_values(stream=file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"the env file {path} cannot be read: {reason}") from error
    # A name without `=` sets nothing.
    return environ | {name: value for name, value in values.items() if value is not None}


def concurrency_of(settings: Settings) -> int | None:
    """Return the invocations at a time that AWS_LAMBDA_MAX_CONCURRENCY asks for; None when it is unset or nonsense."""
    text = (settings.max_concurrency or "").strip()
    slots, nonsense = parse_max_concurrency(text)
    return slots if text and not nonsense else None


def configuration(environ: Mapping[str, str], options: Options) -> FunctionConfiguration:
    """Return the function's configuration: AWS's variables in `environ` say what they say on Lambda."""
    settings = Settings(dict(environ))
    default = FunctionConfiguration()
    concurrency = concurrency_of(settings) if options.concurrency is None else options.concurrency
    memory_size = settings.memory_limit_in_mb
    return FunctionConfiguration(
        name=settings.function_name or default.name,
        handler=options.handler,
        memory_size=int(memory_size) if memory_size.isdigit() else default.memory_size,
        region=settings.region or environ.get("AWS_DEFAULT_REGION") or default.region,
        log_format=settings.log_format or default.log_format,
        task_root=str(Path.cwd()),
        initialization_type="on-demand" if concurrency is None else "lambda-managed-instances",
        max_concurrency=concurrency,
    )
