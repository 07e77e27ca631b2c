"""The commands and their options."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from cyclopts.validators import Number

import polylambda
from polylambda.cli import check, init, package, plane
from polylambda.cli.event import read_client_context, read_event
from polylambda.cli.target import target_of
from polylambda.errors import ConfigurationError
from polylambda.local import serve
from polylambda.local.once import invoke_once
from polylambda.local.options import DEFAULT_QUEUE_LIMIT, DEFAULT_TIMEOUT, Options, from_settings
from polylambda.settings import Settings

_EXAMPLES = """Examples:
  polylambda dev app.handler --reload
      serve the function `handler` of app.py on http://127.0.0.1:7000
  polylambda invoke app.handler --event '{"name": "world"}'
      run it once and print its result
  polylambda dev -- ./bootstrap
      serve any Lambda runtime
  polylambda up template.yaml
      run Lambda Managed Instances on this machine

`polylambda dev --help` and the like tell the rest.
"""

_DEV_EXAMPLES = """Examples:
  polylambda dev app.handler --reload
      start the function anew whenever a Python file below this folder changes
  polylambda dev src/orders.handler --port 8000 --env-file .env
      a module in a folder, another port, variables from a file
  polylambda dev app.handler --concurrency 8
      eight invocations at a time, as in a managed instance
  polylambda dev -- python -m awslambdaric app.handler
      another runtime; `-- ./bootstrap` for a compiled one

Then, from another terminal:
  curl -d '{"name": "world"}' http://127.0.0.1:7000/invoke
  curl http://127.0.0.1:7000/any/path
  aws lambda invoke --endpoint-url http://127.0.0.1:7000 \\
      --function-name function out.json
"""

_INVOKE_EXAMPLES = """Examples:
  polylambda invoke app.handler --event event.json
  polylambda invoke app.handler --event '{"name": "world"}' | jq .
  generate-an-event | polylambda invoke app.handler --event -
  polylambda invoke app.handler --stream
  polylambda invoke --event event.json -- ./bootstrap

Exit status:
  0 the function answered
  1 it returned an error
  2 the command line is wrong
  3 the function could not start, died, or timed out
"""

app = App(
    name="polylambda",
    help="Run AWS Lambda functions on this machine.",
    help_format="plaintext",
    help_epilogue=_EXAMPLES,
    version=f"polylambda {polylambda.__version__}",
)

_Port = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]
_Seconds = Annotated[float, Parameter(validator=Number(gt=0))]
_Count = Annotated[int | None, Parameter(validator=Number(gte=1))]
_Switch = Annotated[bool, Parameter(negative=(), show_default=False)]
_Command = Annotated[list[str] | None, Parameter(parse=False)]


@app.command(help_epilogue=_DEV_EXAMPLES, usage="Usage: polylambda dev [OPTIONS] (MODULE.HANDLER | -- COMMAND...)")
def dev(
    target: str | None = None,
    /,
    *,
    port: _Port = None,
    host: str | None = None,
    reload: _Switch = False,
    timeout: _Seconds = DEFAULT_TIMEOUT,
    env_file: Path | None = None,
    concurrency: _Count = None,
    queue: Annotated[int, Parameter(validator=Number(gte=0))] = DEFAULT_QUEUE_LIMIT,
    command: _Command = None,
) -> int:
    """Serve a function on this machine, for curl, browsers, AWS's SDKs and its command line.

    Args:
        target: the handler: its module, a dot, its name.
        port: TCP port to listen on, 0 for any free one; LOCAL_LAMBDA_PORT, else 7000.
        host: address to listen on; LOCAL_LAMBDA_HOST, else 127.0.0.1.
        reload: start the function anew when its files change; what is under way is finished first.
        timeout: seconds that an invocation may take.
        env_file: file of KEY=VALUE lines for the function's environment.
        concurrency: invocations at a time: AWS_LAMBDA_MAX_CONCURRENCY for the function; by default what that variable says.
        queue: invocations that may wait while it is busy; callers of more get a 429.
        command: what runs the function.
    """
    chosen = target_of(target, command)
    options = from_settings(Settings())
    options = replace(
        options,
        host=host or options.host,
        port=options.port if port is None else port,
        timeout=timeout,
        concurrency=concurrency,
        queue_limit=queue,
        env_file=env_file,
        handler=chosen.handler,
        watch=(Path.cwd(),) if reload else (),
        watch_python_only=bool(chosen.handler),
    )
    is_concurrent = concurrency is not None and concurrency > 1
    with check.telling_findings(chosen.handler) if chosen.handler and is_concurrent else nullcontext():
        serve(chosen.command, options=options)
    return 0


@app.command(
    help_epilogue=_INVOKE_EXAMPLES, usage="Usage: polylambda invoke [OPTIONS] (MODULE.HANDLER | -- COMMAND...)"
)
def invoke(
    target: str | None = None,
    /,
    *,
    event: Annotated[str, Parameter(allow_leading_hyphen=True)] = "{}",
    stream: _Switch = False,
    timeout: _Seconds = DEFAULT_TIMEOUT,
    client_context: str | None = None,
    env_file: Path | None = None,
    command: _Command = None,
) -> int:
    """Run a function once: its result goes to stdout, its log to stderr.

    Args:
        target: the handler: its module, a dot, its name.
        event: the event: a file, - for standard input, or JSON.
        stream: print the pieces of a streamed response as they come.
        timeout: seconds that the invocation may take.
        client_context: JSON, or a file with it, for the handler's context.client_context.
        env_file: file of KEY=VALUE lines for the function's environment.
        command: what runs the function.
    """
    chosen = target_of(target, command)
    return invoke_once(
        chosen.command,
        Options(timeout=timeout, env_file=env_file, handler=chosen.handler),
        read_event(event),
        client_context="" if client_context is None else read_client_context(client_context),
        stream=stream,
    )


for group in (init, check, package, plane):
    group.mount(app)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status.

    Raises:
        ConfigurationError: it was not understood, or cannot be carried out.
    """
    command = None
    if "--" in arguments:
        at = arguments.index("--")
        arguments, command = arguments[:at], arguments[at + 1 :]
    try:
        function, bound, ignored = app.parse_args(arguments, print_error=False, exit_on_error=False)
    except UnusedCliTokensError as error:
        unused = " ".join(error.unused_tokens or ())
        raise ConfigurationError(f"nothing takes {unused!r}; polylambda --help tells what there is") from error
    except CycloptsError as error:
        raise ConfigurationError(f"{str(error).rstrip('.')}; polylambda --help tells what there is") from error
    if "command" in ignored:
        bound.arguments["command"] = command
    return function(*bound.args, **bound.kwargs) or 0
