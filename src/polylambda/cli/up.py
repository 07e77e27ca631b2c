"""`polylambda up` while it runs: a plane, somebody who deploys to it, and somebody who tells what happens."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

import polylambda
from polylambda import loop
from polylambda.cli.watch import Watch
from polylambda.errors import ConfigurationError
from polylambda.local.screen import Screen
from polylambda.plane.changes import NOTHING, changes
from polylambda.plane.contact import Contact, contact
from polylambda.plane.deploy import ANY_CREDENTIALS, Deployed, Deployer, NotDeployed, client_of
from polylambda.plane.plane import FORCED, serve
from polylambda.plane.sigv4 import Credentials
from polylambda.plane.template import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from polylambda.plane.options import PlaneOptions
    from polylambda.plane.plan import Plan
    from polylambda.plane.plane import Plane

BETWEEN_LOOKS = 0.25
"""Seconds between two looks at the fleet."""

_STYLES = {"Failed": "bold red", "Unhealthy": "bold red", "Dead": "bold red", "Active": "green", "Ready": "green"}
_REFUSED = 1


def way_to(function: Deployed, plans: Sequence[Plan]) -> str:
    """Return a command that reaches a function: its name alone means $LATEST.PUBLISHED, which an alias does without."""
    if function.url:
        return f"curl {function.url}"
    (plan,) = {each.name: each for plan in plans for each in plan.functions if each.name == function.name}.values()
    if plan.publish_latest:
        return f"polylambda load {plan.name}"
    if plan.alias is not None:
        return f"polylambda load {plan.name}:{plan.alias}"
    return f"aws lambda publish-version --function-name {plan.name}"


class Up:
    """One run of `polylambda up`."""

    def __init__(
        self, options: PlaneOptions, sources: Sequence[Path], *, parameters: Mapping[str, str], watch: bool
    ) -> None:
        """Read what is to be deployed.

        Args:
            options: of the plane.
            sources: templates, and folders with a template or with code.
            parameters: values for the templates' parameters.
            watch: deploy again whenever a template or code changes.

        Raises:
            ConfigurationError: a source cannot be understood.
        """
        self._options = options
        self._sources = sources
        self._parameters = parameters
        self._watch = watch
        self._plans = self._read()
        self._screen = Screen(sys.stdout)
        self._ended = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self._threads: list[threading.Thread] = []
        self._status = 0

    def run(self) -> int:
        """Run until Ctrl-C, SIGTERM or `polylambda down`; return the exit status.

        Raises:
            ConfigurationError: the plane cannot start as it was told to.
        """
        try:
            with asyncio.Runner(loop_factory=loop.factory()) as runner:
                waited = runner.run(self._serve())
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()
        self._screen.event("the plane has ended, and nothing of it runs any more")
        return self._status if waited else FORCED

    async def _serve(self) -> bool:
        running = asyncio.get_running_loop()

        def ready(plane: Plane) -> None:
            def stop() -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended by itself
                    running.call_soon_threadsafe(plane.stop)

            self._stop = stop
            there = contact(self._options.data_dir)
            self._greet(there)
            self._start(lambda: self._follow(there), "follower of the fleet")
            if self._plans:
                self._start(lambda: self._deploy(there), "deployer")

        return await serve(self._options, ready=ready)

    def _start(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name)
        self._threads.append(thread)
        thread.start()

    def _read(self) -> list[Plan]:
        options = self._options
        return [
            plan_of(path, region=options.region, account=options.account_id, parameters=self._parameters)
            for path in self._sources
        ]

    # What is told

    def _greet(self, there: Contact) -> None:
        options = self._options
        session = f'boto3.client("lambda", endpoint_url="{there.url}", region_name="{options.region}")'
        self._screen.banner(
            f"polylambda {polylambda.__version__}: a plane on {there.url}",
            {
                "boto3": session,
                "AWS CLI, SDKs": f"export AWS_ENDPOINT_URL_LAMBDA={there.url} AWS_REGION={options.region}",
                "a vCPU is": f"{options.cores_per_vcpu:g} of a core of this machine",
                "plane time": "as the clock" if options.time_scale == 1 else f"{options.time_scale:g} times as fast",
                "data": str(options.data_dir),
                "fleet": "polylambda ps -w",
                "stop": "Ctrl-C, or polylambda down",
            },
        )

    def _follow(self, there: Contact) -> None:
        """Tell what happens to the fleet."""
        before = NOTHING
        while not self._ended.wait(BETWEEN_LOOKS):
            try:
                after = there.fleet()
            except ConfigurationError:
                continue  # it is ending
            for change in changes(before, after):
                self._screen.event(change.sentence, style=_STYLES.get(change.state, ""))
            before = after

    # What is deployed

    def _deploy(self, there: Contact) -> None:
        deployer = Deployer(
            client_of(there.url, self._options.region, credentials=self._credentials()), self._screen.event
        )
        try:
            good = self._redeploy(deployer) if self._watch else self._apply(deployer, give_up=self._ended.is_set)
        except ConfigurationError as error:
            self._screen.problem(str(error))
            good = False
        if not good:
            self._status = _REFUSED
            self._stop()

    def _apply(self, deployer: Deployer, *, give_up: Callable[[], bool]) -> bool:
        """Deploy all plans; return whether nothing was refused.

        `give_up` is asked while functions come up, which may take for ever: then nobody waits for them any more.
        """
        try:
            deployed: list[Deployed] = []
            for plan in self._plans:
                for remark in plan.remarks:
                    self._screen.event(remark, style="yellow")
                deployed += deployer.apply(plan)
            for function in deployed:
                self._wait(deployer, function, give_up)
        except NotDeployed as error:
            if not self._ended.is_set():
                self._screen.problem(str(error))
            return False
        return True

    def _wait(self, deployer: Deployer, function: Deployed, give_up: Callable[[], bool]) -> None:
        why_not = deployer.wait(function, give_up=give_up)
        if give_up():
            return
        if why_not:
            self._screen.problem(f"function {function.name} does not come up: {why_not}")
            return
        self._screen.event(f"function {function.name} is there: {way_to(function, self._plans)}", style="bold green")

    def _redeploy(self, deployer: Deployer) -> bool:
        """Deploy, and again when something changes, until the end; what is refused may be put right then.

        Watching begins before that: what is saved while functions come up must not be missed, and may be what they need.
        """
        while not self._ended.is_set():
            folders = self._folders()
            self._screen.event(f"watching {', '.join(map(str, folders))}")
            with contextlib.closing(Watch(folders, data_dir=self._options.data_dir, ended=self._ended)) as watch:
                self._redeploy_from(folders, watch, deployer)
        return True

    def _redeploy_from(self, folders: list[Path], watch: Watch, deployer: Deployer) -> None:
        """Deploy, and again when something changes, as long as it is these folders that it comes from."""
        while self._folders() == folders and not self._ended.is_set():
            self._apply(deployer, give_up=lambda: self._ended.is_set() or watch.look())
            self._await_change(watch)

    def _await_change(self, watch: Watch) -> None:
        """Wait until something has changed that can be deployed, or the end has come."""
        while not self._ended.is_set():
            if not watch.look():
                continue
            first, *others = watch.take()
            self._screen.event(f"{first}{f' and {len(others)} more' if others else ''} changed")
            try:
                self._plans = self._read()
            except ConfigurationError as error:
                self._screen.problem(str(error))
            else:
                return

    def _folders(self) -> list[Path]:
        """The folders of all that is deployed."""
        folders = {
            plan.source.parent.resolve() if plan.source.is_file() else plan.source.resolve() for plan in self._plans
        }
        folders |= {
            function.code if function.code.is_dir() else function.code.parent
            for plan in self._plans
            for function in plan.functions
        }
        return sorted(folders)

    def _credentials(self) -> tuple[str, str]:
        """An access key and its secret that the plane takes."""
        file = self._options.credentials_file
        return next(iter(Credentials.load(file).secrets.items())) if file is not None else ANY_CREDENTIALS
