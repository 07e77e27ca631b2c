"""The commands that have to do with a plane: up, ps, down, logs, load."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator

_EXTRA = ("botocore", "httptools", "psutil", "yaml", "uvloop")

DEFAULT_DATA_DIR = Path(".polylambda")

_UP = """Examples:
  polylambda up
      an empty plane, for boto3, the AWS CLI and whatever else speaks AWS's API
  polylambda up template.yaml --watch
      what a SAM template declares; published again whenever a file changes
  polylambda up orders/ --time-scale 20
      a folder with an app.py that has a `handler`; scaling twenty times as fast
  polylambda up template.yaml --parameter Stage=dev --port 0
      a value for a parameter of the template, any free port

Then, from another terminal:
  export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9400 AWS_REGION=us-east-1
  aws lambda invoke --cli-binary-format raw-in-base64-out \\
      --function-name orders --payload '{"item": "tea"}' out.json
  polylambda ps -w
  polylambda load orders --event '{"item": "tea"}' --rate 200 --ramp 30
  polylambda down
"""

_PS = """Examples:
  polylambda ps
  polylambda ps -w
      live, until Ctrl-C
  polylambda ps --json | jq '.versions[].ready'
"""

_DOWN = """Examples:
  polylambda down
  polylambda down --data-dir /tmp/plane

What is under way is finished first. Functions, capacity providers and waiting
events stay in the data directory for the next `polylambda up`. When the plane
was killed, this ends the processes that it left.
"""

_LOGS = """Examples:
  polylambda logs orders -f
  polylambda logs orders --lines 1000 | jq 'select(.type == "platform.report")'
  polylambda logs tea-shop --provider
      what a capacity provider's instances did

Each line is JSON, as CloudWatch would have it.
"""

_LOAD = """Examples:
  polylambda load orders --rate 50
      50 invocations a second, for 30 seconds
  polylambda load orders --from 5 --rate 200 --ramp 60 --settle 120
      from 5 to 200 a second within a minute; then watch the fleet shrink
  polylambda load orders:live --event event.json --rate 20 --poisson
      an alias; callers that know nothing of each other

The loop is open: invocations are sent when they are due, however slow the
answers are, and latency counts from then.

Exit status:
  0 every invocation was answered, or refused with a 429
  1 some failed
  2 the command line is wrong, or there is no plane
"""

_Port = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]
_Positive = Annotated[float, Parameter(validator=Number(gt=0))]
_NotNegative = Annotated[float, Parameter(validator=Number(gte=0))]
_Count = Annotated[int, Parameter(validator=Number(gte=1))]
_Switch = Annotated[bool, Parameter(negative=(), show_default=False)]


def up(
    *sources: Path,
    host: str | None = None,
    port: _Port = None,
    data_dir: Path = DEFAULT_DATA_DIR,
    time_scale: _Positive = 1.0,
    cores_per_vcpu: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    region: str = "us-east-1",
    watch: _Switch = False,
    parameter: Annotated[list[str] | None, Parameter(negative=())] = None,
    credentials_file: Path | None = None,
) -> int:
    """Run Lambda Managed Instances on this machine, in the foreground, until Ctrl-C or `polylambda down`.

    Args:
        sources: SAM templates, and folders with a template or with code; none for an empty plane.
        host: address to listen on; by default 127.0.0.1.
        port: TCP port to listen on, 0 for any free one; by default 9400.
        data_dir: folder for all that outlives the plane.
        time_scale: how many times as fast as the clock scaling, retries and ages go.
        cores_per_vcpu: how much of one of this machine's cores a vCPU is worth; by default what fits.
        region: AWS region to be.
        watch: publish again when templates or code change.
        parameter: KEY=VALUE for a template's parameter; may be repeated.
        credentials_file: file like ~/.aws/credentials whose signatures are accepted; needed beyond loopback.
    """
    with _plane_installed():
        from polylambda.cli.up import Up
        from polylambda.plane.options import PlaneOptions
    options = PlaneOptions(data_dir=data_dir, time_scale=time_scale, region=region, credentials_file=credentials_file)
    options = replace(
        options,
        host=host or options.host,
        port=options.port if port is None else port,
        cores_per_vcpu=cores_per_vcpu or options.cores_per_vcpu,
    )
    return Up(options, sources, parameters=_pairs(parameter or []), watch=watch).run()


def ps(
    *,
    data_dir: Path = DEFAULT_DATA_DIR,
    watch: Annotated[bool, Parameter(name=["--watch", "-w"], negative=(), show_default=False)] = False,
    json: _Switch = False,
) -> int:
    """Show capacity providers, functions, instances and environments of the plane that runs.

    Args:
        data_dir: where the plane keeps its data.
        watch: live, until Ctrl-C.
        json: everything that is known, for programs.
    """
    with _plane_installed():
        from polylambda.cli.ps import show, show_json, show_live
        from polylambda.plane.contact import contact
    there = contact(data_dir)
    if json:
        show_json(there)
    elif watch:
        show_live(there)
    else:
        show(there)
    return 0


def down(*, data_dir: Path = DEFAULT_DATA_DIR) -> int:
    """End the plane, and everything that runs on it.

    Args:
        data_dir: where the plane keeps its data.
    """
    with _plane_installed():
        from polylambda.cli.down import end_plane
    print(end_plane(data_dir))
    return 0


def logs(
    function: str,
    /,
    *,
    data_dir: Path = DEFAULT_DATA_DIR,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=(), show_default=False)] = False,
    lines: Annotated[int, Parameter(name=["--lines", "-n"], validator=Number(gte=0))] = 20,
    provider: _Switch = False,
) -> int:
    """Show what a function printed, and what the plane says of its invocations.

    Args:
        function: name of the function.
        data_dir: where the plane keeps its data.
        follow: go on with what comes, until Ctrl-C.
        lines: how many of the last lines to begin with.
        provider: the name is a capacity provider's.
    """
    from polylambda.cli.logs import show

    if not function.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(f"{function!r} is no name: it takes letters, digits, - and _")
    folder = data_dir / "logs"
    folder = folder / "capacity-provider" if provider else folder
    show(folder / f"{function}.jsonl", lines=lines, follow=follow, name=function)
    return 0


def load(
    function: str,
    /,
    *,
    event: Annotated[str, Parameter(allow_leading_hyphen=True)] = "{}",
    rate: _Positive = 20.0,
    first: Annotated[float | None, Parameter(name="--from", validator=Number(gt=0))] = None,
    ramp: _NotNegative = 0.0,
    hold: _NotNegative = 30.0,
    settle: _NotNegative = 0.0,
    poisson: _Switch = False,
    seed: int = 0,
    limit: _Count = 2000,
    timeout: _Positive = 60.0,
    interval: _Positive = 2.0,
    credentials_file: Path | None = None,
    data_dir: Path = DEFAULT_DATA_DIR,
) -> int:
    """Invoke a function at a rate, and show latencies, throttles by cause, and how the fleet follows.

    Args:
        function: name of the function, or name:qualifier.
        event: the event: a file, - for standard input, or JSON.
        rate: invocations a second.
        first: invocations a second at the start of a ramp; by default a tenth of the rate.
        ramp: seconds from there to the rate.
        hold: seconds at the rate.
        settle: seconds that the fleet is watched afterwards, at most: until it is as it was.
        poisson: let them come as from independent callers, not evenly spaced.
        seed: of the random numbers that takes.
        limit: invocations that may be under way; more are not sent, and counted.
        timeout: seconds to wait for an answer.
        interval: seconds between two lines of the report.
        credentials_file: the plane's, when it takes signed requests only.
        data_dir: where the plane keeps its data.
    """
    from polylambda.cli.event import read_event

    with _plane_installed():
        from polylambda.cli.load import run_load
        from polylambda.plane.arrivals import Ramp
        from polylambda.plane.contact import contact
        from polylambda.plane.load import LoadOptions
        from polylambda.plane.sigv4 import Credentials
    start = first if first is not None else rate / 10 if ramp else rate
    options = LoadOptions(
        function=function,
        event=read_event(event),
        ramp=Ramp(first=start, rate=rate, ramp=ramp, hold=hold),
        poisson=poisson,
        seed=seed,
        interval=interval,
        settle=settle,
        limit=limit,
        timeout=timeout,
        credentials=None
        if credentials_file is None
        else next(iter(Credentials.load(credentials_file).secrets.items())),
    )
    return run_load(options, contact(data_dir))


def mount(app: App) -> None:
    """Add the commands to the command line."""
    app.command(up, help_epilogue=_UP, usage="Usage: polylambda up [OPTIONS] [TEMPLATE|FOLDER...]")
    app.command(ps, help_epilogue=_PS)
    app.command(down, help_epilogue=_DOWN)
    app.command(logs, help_epilogue=_LOGS)
    app.command(load, help_epilogue=_LOAD)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ConfigurationError(f"--parameter {text} must be KEY=VALUE")
        pairs[name] = value
    return pairs


@contextlib.contextmanager
def _plane_installed() -> Generator[None]:
    """Turn the absence of a package of the extra `plane` into a sentence that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise ConfigurationError(
            f"a plane needs {package}, which is not installed: pip install 'polylambda[plane]'"
        ) from error
