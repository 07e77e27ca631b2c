"""The reconciler: bring what there is to what is wanted, again and again.

A tick tells the scaler how things are and has its decisions carried out. Nothing is kept here that a restart must know:
what is wanted is in the store, and what there was is ended before a plane begins.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from polylambda.plane.facts import EnvironmentFacts, Facts, InstanceFacts, ProviderFacts, VersionFacts
from polylambda.plane.instance_types import select
from polylambda.plane.lives import PATIENCE, Observed, ProviderLife, VersionLife
from polylambda.plane.records import LATEST
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polylambda.plane.clock import Clock
    from polylambda.plane.crew import Crew
    from polylambda.plane.facts import Decisions
    from polylambda.plane.fleet import Environment, Fleet, Revision
    from polylambda.plane.instance_types import InstanceType
    from polylambda.plane.records import ProviderRecord
    from polylambda.plane.router import Router
    from polylambda.plane.scaler import Scaler
    from polylambda.plane.store import Store

TICK = 2.0
"""Plane seconds between two looks of the scaler."""

SETTLED = 10.0
"""Plane seconds that an environment must have been Ready for its end not to be the fault of its start."""

LEAST = 5.0
"""Real seconds that `SETTLED` and `PATIENCE` are at least: processes take their time, however fast plane time passes."""

_QUICK = 0.1
"""Real seconds until it looks when something happened: what belongs together, a publish and its scaling, is decided together."""


class Reconciler:
    """Keeps providers, versions, instances and environments on their way.

    Attributes:
        lives: of the versions, by ARN.
        providers: lives of the capacity providers, by name.
        wanted: environments that the scaler wants of each revision, by id.
    """

    def __init__(self, store: Store, fleet: Fleet, router: Router, scaler: Scaler, crew: Crew, clock: Clock) -> None:
        """Bring `fleet` to what `store` wants; `crew` does it."""
        self._store = store
        self._fleet = fleet
        self._router = router
        self._scaler = scaler
        self._crew = crew
        self._clock = clock
        self.lives: dict[str, VersionLife] = {}
        self.providers: dict[str, ProviderLife] = {}
        self.wanted: dict[str, int] = {}
        self._blocked: dict[str, tuple[str, str]] = {}
        self._refusals: dict[str, int] = {}
        self._types: dict[tuple[object, ...], tuple[InstanceType, ...]] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self._wake.clear()
            try:
                self.tick()
            except Exception as error:
                # Everything else goes on, and the next tick begins with what there is.
                context = {"message": "a defect of polylambda: the fleet was not looked at", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
            await asyncio.sleep(_QUICK)
            # Not wait_for, which before Python 3.12 may lose a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._clock.real(TICK) - _QUICK)):
                    await self._wake.wait()
            await asyncio.sleep(_QUICK)

    def wake(self) -> None:
        """Look again soon: something happened to the fleet."""
        self._wake.set()

    def wanted_changed(self) -> None:
        """Take what is wanted from the store now, and act on it soon."""
        self.look()
        self._wake.set()

    def life(self, arn: str) -> VersionLife | None:
        """Return how far a version is; None when there is none."""
        return self.lives.get(arn)

    def init_failed(self, revision: Revision, error_type: str, reason: str) -> None:
        """Take note that the init of an environment failed."""
        life = self.lives.get(revision.record.arn)
        if life is not None:
            life.init_failed(revision, error_type, reason)

    def tick(self) -> None:
        """Look at everything once, decide, and have it done."""
        self.look()
        self._forget_deleted()
        self._note_early_ends()
        facts = self._facts()
        self._crew.forget_ended()
        decisions = self._scaler.tick(self._clock.now(), facts)
        self.wanted = decisions.wanted
        self._blocked = decisions.blocked
        self._carry_out(decisions)

    def look(self) -> None:
        """Bring the states of versions and capacity providers up to date."""
        now = self._clock.now()
        for provider in self._store.providers():
            life = self.providers.get(provider.name)
            if life is None or (life.record.deleting and not provider.deleting):
                life = self.providers[provider.name] = ProviderLife(provider)
            elif provider.max_vcpus != life.record.max_vcpus:
                for version in self.lives.values():
                    if version.record.provider == provider.name:
                        version.try_again()
            life.want(provider, types=len(self._instance_types(provider)))
        for record in self._store.versions():
            life = self.lives.get(record.arn)
            if life is None or (life.record.deleting and not record.deleting):
                life = self.lives[record.arn] = VersionLife(record, patience=self._at_least(PATIENCE))
            life.want(record)
            life.observe(now, self._observed(life))

    def _at_least(self, plane_seconds: float) -> float:
        return max(plane_seconds, self._clock.plane(LEAST))

    def _settled(self, environment: Environment) -> bool:
        age = self._clock.now() - environment.ready_at
        return environment.leaving or (environment.ready_at > 0 and age >= self._at_least(SETTLED))

    def _note_early_ends(self) -> None:
        """Count environments that died by themselves as soon as they were Ready as ones whose init failed."""
        for each in self._fleet.environments.values():
            if each.state is EnvironmentState.DEAD and not self._settled(each):
                host = self._fleet.hosts.get(each.instance)
                if host is not None and host.state is InstanceState.RUNNING:
                    reason = "The runtime exited soon after its init: the function's log may say why."
                    self.init_failed(each.revision, "Runtime.ExitError", reason)

    def _observed(self, life: VersionLife) -> Observed:
        wanted = life.revision.id
        return Observed(
            ready=self._fleet.ready(wanted),
            serving=self._fleet.ready(life.serving.id) if life.serving is not None and life.serving.id != wanted else 0,
            present=sum(not environment.ended for environment in self._fleet.environments_of(life.record.arn)),
            blocked=self._blocked.get(wanted),
        )

    def _forget_deleted(self) -> None:
        """Remove what was deleted and of which nothing is left."""
        for record in reversed(self._store.versions()):  # so that `$LATEST` is the last of its function
            if record.qualifier == LATEST and len(self._store.versions_of(record.function_name)) > 1:
                continue  # without it the API could find nothing of the function, and yet it would be there
            if record.deleting and not self._fleet.environments_of(record.arn):
                self._store.remove_version(record.function_name, record.qualifier)
                self.lives.pop(record.arn, None)
        users = {record.provider for record in self._store.versions()}
        for provider in self._store.providers():
            if provider.deleting and provider.name not in users and not self._fleet.hosts_of(provider.name):
                self._store.remove_provider(provider.name)
                self.providers.pop(provider.name, None)

    # What the scaler is told

    def _facts(self) -> Facts:
        now = self._clock.now()
        return Facts(
            providers=[
                ProviderFacts(
                    name=provider.name,
                    types=self._instance_types(provider),
                    zones=self._zones(provider),
                    max_vcpus=provider.max_vcpus,
                    cpu_target=provider.cpu_target,
                )
                for provider in self._store.providers()
                if not provider.deleting
            ],
            versions=list(self._versions()),
            instances=[
                InstanceFacts(host.id, host.provider, host.type, host.zone, host.state, host.launched_at)
                for host in self._fleet.hosts.values()
                if host.state is not InstanceState.TERMINATED
            ],
            environments=[
                EnvironmentFacts(
                    each.id,
                    each.revision.id,
                    each.instance,
                    each.state,
                    cpu=each.take_cpu(),
                    slots_in_use=each.take_slots_in_use(now),
                    settled=self._settled(each),
                )
                for each in self._fleet.environments.values()
            ],
        )

    def _versions(self) -> Iterator[VersionFacts]:
        refusals, self._refusals = self._refusals, {}
        for life in self.lives.values():
            observed = self._observed(life)
            for revision in life.revisions:
                record = revision.record
                minimum, maximum = life.scaling(revision, observed)
                total = self._router.refusals(revision.id)
                self._refusals[revision.id] = total
                yield VersionFacts(
                    id=revision.id,
                    provider=record.provider,
                    vcpus=record.vcpus,
                    memory=record.memory,
                    slots=record.slots,
                    minimum=minimum,
                    maximum=maximum,
                    refusals=max(0, total - refusals.get(revision.id, 0)),
                )

    def _instance_types(self, provider: ProviderRecord) -> tuple[InstanceType, ...]:
        key = (provider.architecture, provider.allowed_types, provider.excluded_types)
        if key not in self._types:
            self._types[key] = select(*key)
        return self._types[key]

    def _zones(self, provider: ProviderRecord) -> tuple[str, ...]:
        """One availability zone a subnet, from `a` on."""
        letters = "abcdefghijklmnop"[: len(provider.subnets)]
        return tuple(self._crew.region + letter for letter in letters)

    # What comes of it

    def _carry_out(self, decisions: Decisions) -> None:
        revisions = {revision.id: revision for life in self.lives.values() for revision in life.revisions}
        for launch in decisions.launch:
            self._crew.launch(launch, self._store.provider(launch.provider))
        for start in decisions.start:
            revision = revisions.get(start.version)
            if revision is not None:
                self._crew.start(start, revision)
        for environment in decisions.drain:
            self._crew.drain(environment)
        for instance in decisions.drain_instances:
            self._crew.drain_instance(instance)
        for instance in decisions.terminate:
            self._crew.terminate(instance)
