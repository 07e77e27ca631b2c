"""`polylambda package`: an artifact is built, told of, and tried."""

from __future__ import annotations

import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from polylambda.cli.event import read_event
from polylambda.errors import ConfigurationError
from polylambda.package.kind import Kind

if TYPE_CHECKING:
    from polylambda.cli import package_report as report
    from polylambda.package.build import Built, Order
    from polylambda.package.manifest import Manifest
    from polylambda.package.target import Target

_EXAMPLES = """Examples:
  polylambda package app.handler
      build/function.zip for python3.13 on x86_64, with all that uv.lock,
      requirements.txt or pyproject.toml names
  polylambda package --python 3.14 --arch arm64 -o build/orders.zip
      for another Python and architecture, whatever this machine is
  polylambda package app.handler --kind image
      build/image, with a Dockerfile to be read
  polylambda package --kind layer
      polylambda in a layer; the functions are packaged with --no-wrapper
  polylambda package --check
      build it in a temporary folder, run it, and say what is missing
  polylambda package --check build/function.zip --event event.json
      run what was built before

A project's pyproject.toml may say what is usual for it:
  [tool.polylambda]
  handler = "app.handler"
  python = "3.13"
  architecture = "arm64"
  event = "events/order.json"

Exit status:
  0 it was built; with --check, it also ran
  1 with --check: the function returned an error, or wrote where it may not
  2 the command line is wrong, or the project cannot be packaged
  3 with --check: the function could not start, died, or timed out
"""

_Switch = Annotated[bool, Parameter(negative=(), show_default=False)]
_Many = Annotated[list[str] | None, Parameter(negative=())]
_Seconds = Annotated[float, Parameter(validator=Number(gt=0))]


def mount(app: App) -> None:
    """Add the command to the command line."""
    app.command(
        package, help_epilogue=_EXAMPLES, usage="Usage: polylambda package [OPTIONS] [MODULE.HANDLER | --check OUT]"
    )


def package(
    handler: str | None = None,
    /,
    *,
    kind: Kind = Kind.ZIP,
    python: str | None = None,
    arch: str | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    requirements: Path | None = None,
    exclude: _Many = None,
    include: _Many = None,
    without: _Many = None,
    from_source: _Many = None,
    no_wrapper: _Switch = False,
    compile: _Switch = False,  # noqa: A002 # the option's name
    no_prune: _Switch = False,
    interpreter: Path | None = None,
    dry_run: _Switch = False,
    check: _Switch = False,
    event: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    layer: Annotated[list[Path] | None, Parameter(negative=())] = None,
    env_file: Path | None = None,
    timeout: _Seconds = 30.0,
) -> int:
    """Make what Lambda takes from the project in this folder, and try it out before it is uploaded.

    Args:
        handler: the handler: its module, a dot, its name; what pyproject.toml says, else app.handler. After --check: an artifact.
        kind: zip for a managed Python runtime, bootstrap for provided.al2023 (a zip with its own Python), image, or layer.
        python: version of Python on Lambda; what pyproject.toml says, else 3.13.
        arch: architecture on Lambda, x86_64 or arm64; what pyproject.toml says, else x86_64.
        output: where it goes; build/function.zip, build/bootstrap.zip, build/layer.zip, or the folder build/image.
        requirements: file with what the project depends on; uv.lock, requirements.txt or pyproject.toml.
        exclude: pattern of files of the project to leave out; may be repeated.
        include: pattern of files to take although git ignores them, or they look like tests; may be repeated.
        without: distribution to leave out, such as boto3, with all that only it needs; may be repeated.
        from_source: distribution to build here because there is no wheel of it; may be repeated.
        no_wrapper: leave polylambda and its wrapper out: a layer has them.
        compile: put byte code in, for a faster cold start; needs that Python on this machine.
        no_prune: keep the tests and stubs of the dependencies.
        interpreter: Python of this machine to bundle into a bootstrap.
        dry_run: say what would be in it, and write nothing.
        check: run it as Lambda would.
        event: event for --check: a file, - for standard input, or JSON; what pyproject.toml says, else event.json; without any it is only started.
        layer: zip file for /opt during --check; may be repeated.
        env_file: file of KEY=VALUE lines for the function's environment during --check.
        timeout: seconds that start and invocation may take during --check.
    """
    # All that builds and runs is imported here, so that other commands start without it.
    from polylambda.cli import package_report as report
    from polylambda.package.build import Order, build
    from polylambda.package.dependencies import Dependencies
    from polylambda.package.manifest import read_manifest
    from polylambda.package.target import target_of

    _refuse(
        no_wrapper and kind is not Kind.ZIP,
        "--no-wrapper is for --kind zip, with a layer that brings what it leaves out",
    )
    _refuse(interpreter is not None and kind is not Kind.BOOTSTRAP, "--interpreter is for --kind bootstrap")
    _refuse(check and dry_run, "--check runs what --dry-run does not make")
    for name, given in {"--event": event, "--layer": layer, "--env-file": env_file}.items():
        _refuse(bool(given) and not check, f"{name} is for --check")
    manifest = read_manifest(Path.cwd())
    trial = report.Trial(
        event=_event(event, manifest) if check else None,
        layers=tuple(layer or ()),
        variables=_variables(env_file),
        timeout=timeout,
        manifest=manifest,
    )
    if check and handler is not None and (handler.endswith(".zip") or Path(handler).exists()):
        return trial.run(Path(handler), python=python or manifest.python)
    target = target_of(
        python or manifest.python, arch or manifest.architecture, own_system=kind in (Kind.BOOTSTRAP, Kind.IMAGE)
    )
    order = Order(
        kind=kind,
        target=target,
        handler="" if kind is Kind.LAYER else _handler(handler, manifest),
        root=manifest.root,
        out=output or Path("build", kind.usual_name),
        dependencies=Dependencies(
            requirements=_requirements(requirements) or (None if kind is Kind.LAYER else manifest.requirements),
            own=not no_wrapper,
            without=tuple(without or ()),
            from_source=tuple(from_source or ()),
        ),
        exclude=tuple(exclude or ()),
        include=tuple(include or ()),
        compile=compile,
        prune=not no_prune,
        interpreter=interpreter,
        dry_run=dry_run,
        notes=() if requirements is not None or kind is Kind.LAYER else _unread(manifest),
    )
    if check and output is None:
        return _check_in_passing(replace(order, target=_possible(target, python=python, arch=arch)), trial)
    built = build(order, report.progress)
    report.show(built, aside=check)
    status = trial.run(order.out, python=target.python) if check else 0
    if status == 0 and not dry_run:
        report.show_steps(_next_steps(built, manifest), aside=check)
    return status


def _next_steps(built: Built, manifest: Manifest) -> list[tuple[str, str]]:
    from polylambda.package.next_steps import next_steps

    templates = (manifest.root / name for name in ("template.yaml", "template.yml"))
    template = next((path for path in templates if path.is_file()), None)
    name = "polylambda" if built.order.kind is Kind.LAYER else manifest.name
    return next_steps(built.order, name, zipped=built.zipped, template=template)


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise ConfigurationError(f"{message}; polylambda package --help tells what there is")


def _check_in_passing(order: Order, trial: report.Trial) -> int:
    """Build where nobody sees it, and try it."""
    from polylambda.cli import package_report as report
    from polylambda.package.build import build

    with tempfile.TemporaryDirectory(prefix="polylambda-package-") as folder:
        passing = replace(order, out=Path(folder, order.kind.usual_name))
        built = build(passing, report.progress)
        report.show(replace(built, order=replace(passing, out=Path(passing.out.name))), aside=True)
        return trial.run(passing.out, python=order.target.python)


def _possible(target: Target, *, python: str | None, arch: str | None) -> Target:
    """Return a target that can be tried on this machine, as far as the command line did not insist on another."""
    from polylambda.cli import package_report as report
    from polylambda.package import interpreters
    from polylambda.package.target import ARCHITECTURES, machine_of, target_of

    here = machine_of(platform.machine())
    if arch is None and target.machine != here and here in ARCHITECTURES.values():
        report.progress(f"this machine is {here}, so it is made for that, and not for {target.architecture}")
        target = target_of(target.python, here)
    if python is None and interpreters.find(target.python) is None:
        own = "{}.{}".format(*sys.version_info)
        report.progress(f"this machine has no Python {target.python}, so it is made for the {own} that is here")
        target = target_of(own, target.architecture)
    return target


def _handler(given: str | None, manifest: Manifest) -> str:
    from polylambda.package.manifest import DEFAULT_HANDLER

    handler = given or manifest.handler
    if not handler:
        raise ConfigurationError(
            f'name the handler, such as {DEFAULT_HANDLER}, or say handler = "{DEFAULT_HANDLER}" in [tool.polylambda] of '
            "pyproject.toml"
        )
    return handler


def _requirements(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ConfigurationError(f"there is no file {path}: --requirements takes one that names what the project needs")
    return path


def _unread(manifest: Manifest) -> tuple[str, ...]:
    """Return a note on what names dependencies and is not read; it is an error when nothing else names any."""
    if not manifest.unread:
        return ()
    names = " and ".join(manifest.unread)
    if manifest.requirements is None:
        raise ConfigurationError(
            f"the project's dependencies are in {names}, which is not read: write them to requirements.txt (poetry export -o "
            "requirements.txt, for example), or into [project] of pyproject.toml"
        )
    return (f"The dependencies are those of {manifest.requirements.name}; {names} was not read.",)


def _event(source: str | None, manifest: Manifest) -> bytes | None:
    if source is not None:
        return read_event(source)
    return read_event(str(manifest.event)) if manifest.event is not None else None


def _variables(env_file: Path | None) -> dict[str, str]:
    if env_file is None:
        return {}
    from polylambda.local.options import Options, runtime_environment

    inherited = runtime_environment(Options())
    changed = runtime_environment(Options(env_file=env_file))
    return {name: value for name, value in changed.items() if inherited.get(name) != value}
