"""`polylambda check`: what is unsafe when a handler runs concurrently, read from its source or seen when it runs."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from polylambda.check.finding import Mode
from polylambda.check.output import Format, print_report
from polylambda.cli.event import read_event
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_EXAMPLES = """Examples:
  polylambda check app.handler
      what the handler of app.py calls, in this project
  polylambda check
      every handler below this folder
  polylambda check src/orders.handler --mode thread
      for threads; by default the handler's own: task for async def, else thread
  polylambda check --baseline known.json --write-baseline
      take what is there as known; later, with --baseline known.json, only news
  polylambda check --format sarif > check.sarif
      for code scanning; --format github for annotations, json for programs
  polylambda check --explain LMI101
      what a rule is about, and how it is written right
  polylambda check --run app.handler --event event.json --concurrency 16
      run it with interleaving driven on purpose, and see what leaks

A comment says why something is safe after all, and is heard when it gives
the reason:
  CACHE[key] = price  # polylambda: ignore[LMI101] -- prices never change

In pyproject.toml, [tool.polylambda.check] may have select, ignore, mode and
baseline.

Exit status:
  0 nothing was found
  1 something was found
  2 the command line is wrong, or there is no such handler
"""

_LOGGER = logging.getLogger(__name__)
_CACHE = Path(".polylambda") / "check"
_PATIENCE = 1.5  # seconds without a word
_AT_START = 5  # findings that are told when a server starts

_Mode = Annotated[Mode | None, Parameter()]
_Switch = Annotated[bool, Parameter(negative=(), show_default=False)]
_Rules = Annotated[list[str] | None, Parameter(negative=())]
_Count = Annotated[int, Parameter(validator=Number(gte=1))]


def check(
    *targets: str,
    mode: _Mode = None,
    format: Format = Format.TEXT,  # noqa: A002  # the name of the option
    select: _Rules = None,
    ignore: _Rules = None,
    baseline: Path | None = None,
    write_baseline: _Switch = False,
    no_cache: _Switch = False,
    explain: str | None = None,
    list_rules: _Switch = False,
    run: _Switch = False,
    event: Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)] = None,
    concurrency: _Count | None = None,
    invocations: _Count | None = None,
    seed: int | None = None,
    stall: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
) -> int:
    """Find what is unsafe when a handler serves several invocations at once.

    Args:
        targets: handlers (app.handler), modules, files, folders; by default this folder.
        mode: what an invocation is; by default what the handler is made for.
        format: text for people, json for programs, sarif for code scanning, github for annotations.
        select: rules to look for, or beginnings of their ids, such as LMI1,ASYNC; may be repeated.
        ignore: rules not to look for; may be repeated.
        baseline: file of findings that are known, and do not count.
        write_baseline: write what is found to that file.
        no_cache: read every file anew, and keep nothing in .polylambda/check.
        explain: tell all about a rule, and do nothing else.
        list_rules: tell which rules there are, and do nothing else.
        run: run the handler concurrently and see what leaks, instead of reading its source.
        event: with --run, events: files, - for standard input, or JSON.
        concurrency: with --run, invocations at a time; by default 8.
        invocations: with --run, how many there are; by default 64.
        seed: with --run, of the order in which they take turns; by default a new one, which is told.
        stall: with --run, milliseconds that the event loop may stand still; by default 100.
    """
    if explain is not None:
        return _explain(explain)
    if list_rules:
        return _list_rules()
    if not run:
        _refuse(event=event, concurrency=concurrency, invocations=invocations, seed=seed, stall=stall)
    if not all(target.strip() for target in targets):
        raise ConfigurationError("a target is empty: name a handler such as app.handler, or . for this folder")
    from polylambda.check.assessment import assessment

    root = Path.cwd()
    chosen = assessment(root, select=select, ignore=ignore, mode=mode, file=baseline, anew=write_baseline)
    if run:
        from polylambda.check.dynamic import RunOptions

        options = RunOptions(
            target=_only(targets),
            events=_events(event),
            mode=chosen.mode,
            concurrency=8 if concurrency is None else concurrency,
            invocations=64 if invocations is None else invocations,
            seed=seed,
            stall=(100 if stall is None else stall) / 1000,
            names=tuple(event or ()),
            root=root,
        )
        report = chosen.run(options, _tell)
    else:
        targets = targets or (".",)
        with _told_after_a_while(f"reading {', '.join(targets)} ..."):
            report = chosen.read(targets, None if no_cache else root / _CACHE)
    if format in (Format.JSON, Format.SARIF) or write_baseline:  # the others are read by people, who see them there
        for problem in report.problems:
            _tell(problem)
    if write_baseline and chosen.file is not None:
        chosen.write_baseline(report, chosen.file)
        _tell(f"{len(report.findings)} findings are known from now on, in {chosen.file}")
        return 0
    print_report(report, format, sys.stdout)
    return 1 if report.findings else 0


def mount(app: App) -> None:
    """Add the command to the command line."""
    app.command(check, help_epilogue=_EXAMPLES, usage="Usage: polylambda check [OPTIONS] [TARGET...]")


@contextlib.contextmanager
def telling_findings(target: str) -> Generator[None]:
    """Tell on stderr, once, what reading a handler's source finds, a line each, while the body goes on.

    The body does not wait for it: the source is read in a thread of its own, while the function starts in its process. It is
    for `polylambda dev`, which goes on whatever happens here: that the source could not be read is a line, too, and the
    rest is for `polylambda check` to tell.
    """
    reading = threading.Thread(target=_tell_findings, args=(target,), name="polylambda check")
    reading.start()
    try:
        yield
    finally:
        reading.join()


def _tell_findings(target: str) -> None:
    from polylambda.check.assessment import assessment

    root = Path.cwd()
    try:
        report = assessment(root).read((target,), root / _CACHE)
    except Exception as error:
        # A checker that fails must not look like one that finds nothing.
        _LOGGER.debug("the source of %s could not be read", target, exc_info=True)
        reason = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
        _tell(f"could not check the source of {target}: {reason}; polylambda check {target} tells more")
        return
    if report.problems:
        what = "could not check all of the source"
        _tell(f"{what} of {target}: {report.problems[0]}; polylambda check {target} tells more")
    findings = report.findings
    lines = [f"{each.path}:{each.line}: {each.rule} {each.message}" for each in findings[:_AT_START]]
    if findings:
        what = "not safe to run concurrently" if len(findings) <= _AT_START else f"{len(findings)} findings in all"
        lines.append(f"{what}: polylambda check {target} tells why, and how to write it right")
        print("\n".join(lines), file=sys.stderr, flush=True)


def _explain(rule: str) -> int:
    from polylambda.check.catalogue import RULES
    from polylambda.check.output.text import print_rule

    if rule.upper() not in RULES:
        raise ConfigurationError(f"there is no rule {rule!r}; polylambda check --list-rules tells which there are")
    print_rule(RULES[rule.upper()], sys.stdout)
    return 0


def _list_rules() -> int:
    from polylambda.check.output.text import print_rules

    print_rules(sys.stdout)
    return 0


def _refuse(**options: object) -> None:
    """Refuse what only `--run` heeds, where it is given without it."""
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        verb = "is" if len(given) == 1 else "are"
        raise ConfigurationError(
            f"{', '.join(given)} {verb} for --run: add --run, or leave out what reading does not use"
        )


def _only(targets: Sequence[str]) -> str:
    if len(targets) != 1:
        raise ConfigurationError(
            "--run takes one handler, such as polylambda check --run app.handler --event event.json"
        )
    return targets[0]


def _events(given: Sequence[str] | None) -> tuple[bytes, ...]:
    if not given:
        raise ConfigurationError(
            "--run needs events like those of production: --event event.json, or JSON; more are better"
        )
    return tuple(read_event(each) for each in given)


def _tell(text: str) -> None:
    print(f"polylambda: {text}", file=sys.stderr)


@contextlib.contextmanager
def _told_after_a_while(text: str) -> Generator[None]:
    """Say on stderr what takes so long, if it does."""
    timer = threading.Timer(_PATIENCE, _tell, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
