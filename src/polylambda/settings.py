"""Every environment variable polylambda reads, read once.

No other module looks at `os.environ` for a setting. The values are kept as the platform gave them; whoever uses one
says what is wrong with it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any


class Settings:
    """The environment of one execution environment, as attributes that do not change.

    AWS's variables: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html. Ours begin with
    `POLYLAMBDA_`. A plain class and not a dataclass because importing `dataclasses` costs a cold start several
    milliseconds.

    Attributes:
        runtime_api: `host:port` of the Runtime API; None outside Lambda.
        handler: the handler's name, `module.function`, from `_HANDLER`.
        max_concurrency: the text of `AWS_LAMBDA_MAX_CONCURRENCY`.
        concurrency_mode: `task`, `thread`, `process` or `hybrid`, from `AWS_LAMBDA_CONCURRENCY_MODE`.
        log_fd: number of the framed log descriptor.
        log_socket: path of the telemetry socket of managed environments.
        preload: worker processes are forked after the function was imported, and share its memory.
        max_background: handlers of a process that may go on without a slot after they have answered; None: its slots.
        cancel_at_deadline: cancel a coroutine that is past its deadline.
        kill_at_deadline: kill a worker process that is past the deadline of an invocation.
        deadline_grace: seconds that a handler may be past its deadline before either happens.
        shutdown_grace: seconds that what is under way may take after SIGTERM.
        pipelining: send an answer and the next poll in one write.
        poll_first: send the next poll before the answer of a long invocation, where there are several slots.
        register_extension: register as an internal extension when there is something to do at shutdown.
        capture_print: make a JSON record of what `print` writes, when the log format is JSON.
        loop: `asyncio`, `uvloop` or `auto` (uvloop when it is installed).
    """

    __slots__ = (
        "cancel_at_deadline",
        "capture_print",
        "concurrency_mode",
        "deadline_grace",
        "execution_env",
        "function_name",
        "function_version",
        "handler",
        "initialization_type",
        "invoke_mode",
        "kill_at_deadline",
        "local_host",
        "local_invocation_endpoint",
        "local_port",
        "log_fd",
        "log_format",
        "log_group_name",
        "log_level",
        "log_level_fallback",
        "log_socket",
        "log_stream_name",
        "loop",
        "max_background",
        "max_concurrency",
        "memory_limit_in_mb",
        "pipelining",
        "poll_first",
        "preload",
        "region",
        "register_extension",
        "runtime_api",
        "shutdown_grace",
        "task_root",
    )

    runtime_api: str | None
    handler: str | None
    task_root: str | None
    function_name: str
    function_version: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    region: str
    execution_env: str
    initialization_type: str
    max_concurrency: str | None
    concurrency_mode: str | None
    log_format: str | None
    log_level: str | None
    log_level_fallback: str | None
    log_fd: str | None
    log_socket: str | None
    pipelining: bool
    poll_first: bool
    register_extension: bool
    capture_print: bool
    preload: bool
    max_background: str | None
    cancel_at_deadline: bool
    kill_at_deadline: bool
    deadline_grace: str
    shutdown_grace: str
    loop: str
    invoke_mode: str | None
    local_host: str | None
    local_port: str | None
    local_invocation_endpoint: str | None

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Read the settings from `environ`, by default the process's own.

        `_LAMBDA_TELEMETRY_LOG_FD` is removed from the process's environment: a child must not write to that descriptor.
        """
        own = environ is None
        env: MutableMapping[str, str] = os.environ if environ is None else environ

        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("runtime_api", env.get("AWS_LAMBDA_RUNTIME_API") or None)
        put("handler", env.get("_HANDLER") or None)
        put("task_root", env.get("LAMBDA_TASK_ROOT") or None)
        put("function_name", env.get("AWS_LAMBDA_FUNCTION_NAME", ""))
        put("function_version", env.get("AWS_LAMBDA_FUNCTION_VERSION", ""))
        put("memory_limit_in_mb", env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""))
        put("log_group_name", env.get("AWS_LAMBDA_LOG_GROUP_NAME", ""))
        put("log_stream_name", env.get("AWS_LAMBDA_LOG_STREAM_NAME", ""))
        put("region", env.get("AWS_REGION", ""))
        put("execution_env", env.get("AWS_EXECUTION_ENV", ""))
        put("initialization_type", env.get("AWS_LAMBDA_INITIALIZATION_TYPE", ""))
        put("max_concurrency", env.get("AWS_LAMBDA_MAX_CONCURRENCY"))
        put("concurrency_mode", env.get("AWS_LAMBDA_CONCURRENCY_MODE") or None)
        put("log_format", env.get("AWS_LAMBDA_LOG_FORMAT"))
        put("log_level", env.get("AWS_LAMBDA_LOG_LEVEL"))
        put("log_level_fallback", env.get("LOG_LEVEL"))
        put("log_fd", env.get("_LAMBDA_TELEMETRY_LOG_FD") or None)
        put("log_socket", env.get("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET") or None)
        put("pipelining", _switch(env, "POLYLAMBDA_PIPELINING"))
        put("poll_first", _switch(env, "POLYLAMBDA_POLL_FIRST"))
        put("register_extension", _switch(env, "POLYLAMBDA_REGISTER_EXTENSION"))
        put("capture_print", _switch(env, "POLYLAMBDA_CAPTURE_PRINT"))
        put("preload", _switch(env, "POLYLAMBDA_PRELOAD", "off"))
        put("max_background", env.get("POLYLAMBDA_MAX_BACKGROUND") or None)
        put("cancel_at_deadline", _switch(env, "POLYLAMBDA_CANCEL_AT_DEADLINE"))
        put("kill_at_deadline", _switch(env, "POLYLAMBDA_KILL_AT_DEADLINE", "off"))
        put("deadline_grace", env.get("POLYLAMBDA_DEADLINE_GRACE") or "0.1")
        put("shutdown_grace", env.get("POLYLAMBDA_SHUTDOWN_GRACE") or "0.5")
        put("loop", env.get("POLYLAMBDA_LOOP", "auto").lower())
        put("invoke_mode", env.get("POLYLAMBDA_INVOKE_MODE") or None)
        put("local_host", env.get("LOCAL_LAMBDA_HOST") or None)
        put("local_port", env.get("LOCAL_LAMBDA_PORT") or None)
        put("local_invocation_endpoint", env.get("LOCAL_LAMBDA_INVOCATION_ENDPOINT") or None)
        if own:
            env.pop("_LAMBDA_TELEMETRY_LOG_FD", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings do not change after they were read: {name}")

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment, changed, for another program."""
    return {**os.environ, **changes}


def _switch(env: MutableMapping[str, str], name: str, default: str = "on") -> bool:
    """A setting that is on or off."""
    return (env.get(name, "").strip().lower() or default) not in {"0", "false", "no", "off"}
