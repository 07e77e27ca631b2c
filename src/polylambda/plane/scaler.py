"""The scaler: how many environments and instances there should be, and where. No I/O and no clock.

`demand.py` says how many environments a version wants, `placement.py` where they go. Here the two are brought together,
and decided what goes: too many environments, empty instances, old ones, unhealthy ones. What it remembers between two
ticks (loads, since when an instance is empty, what is being emptied) may be lost without harm; all else is in the facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.demand import Demand, Policy
from polylambda.plane.facts import (
    Decisions,
    EnvironmentFacts,
    Facts,
    InstanceFacts,
    Launch,
    ProviderFacts,
    Start,
    VersionFacts,
)
from polylambda.plane.placement import Book
from polylambda.plane.retries import Retries
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from polylambda.plane.placement import Reason

__all__ = [
    "Decisions",
    "EnvironmentFacts",
    "Facts",
    "InstanceFacts",
    "Launch",
    "Policy",
    "ProviderFacts",
    "Scaler",
    "Start",
    "VersionFacts",
]

_DEFAULT = Policy()

_BROKEN = (InstanceState.UNHEALTHY, InstanceState.FAILED)
_ENDED = (*_BROKEN, InstanceState.TERMINATED)


class Scaler:
    """Decides what to launch, start, drain and terminate; `tick` is to be called every `Policy.tick` seconds.

    Args:
        policy: its numbers.
        new_id: makes up a name that was never used, of an "instance" or an "environment".
    """

    def __init__(self, policy: Policy = _DEFAULT, *, new_id: Callable[[str], str]) -> None:
        self._policy = policy
        self._new_id = new_id
        self._demands: dict[str, Demand] = {}
        self._inits = Retries(policy.first_retry, policy.last_retry)  # by version
        self._boots = Retries(policy.first_retry, policy.last_retry)  # by provider
        self._leaving: set[str] = set()  # instances that are being emptied
        self._empty_since: dict[str, float] = {}
        self._saved_at: dict[str, float] = {}  # when a provider's instances were last looked at to save some

    def tick(self, now: float, facts: Facts) -> Decisions:
        """Return what is to be done at `now`, seconds of plane time, with the fleet of `facts`."""
        state = _State(facts, self._leaving)
        self._forget(state)
        self._fail(now, facts, state)
        decisions = Decisions()
        for version in facts.versions:
            decisions.wanted[version.id] = self._want(now, version, state)
        for provider in facts.providers:
            self._provide(now, provider, state, decisions)
        self._drain_leaving(state, decisions)
        self._terminate(now, state, decisions)
        return decisions

    def _forget(self, state: _State) -> None:
        """Forget what is no longer there."""
        self._leaving &= state.instances.keys()
        for gone in self._demands.keys() - state.versions.keys():
            del self._demands[gone]
        for gone in self._saved_at.keys() - state.providers.keys():
            del self._saved_at[gone]
        self._inits.keep(state.versions)
        self._boots.keep(state.providers)

    def _fail(self, now: float, facts: Facts, state: _State) -> None:
        """Hold back versions whose environments fail to start, and providers whose instances fail to launch."""
        failed, dead, ready = EnvironmentState.FAILED, EnvironmentState.DEAD, EnvironmentState.READY
        self._inits.observe(
            now,
            (
                (each.version, each.id)
                for each in facts.environments
                # One that dies as soon as it is Ready would else be started again and again without a pause.
                if each.state is failed or (each.state is dead and not each.settled and state.runs(each.instance))
            ),
            ((each.version, each.id) for each in facts.environments if each.state is ready and each.settled),
        )
        self._boots.observe(
            now,
            ((each.provider, each.id) for each in facts.instances if each.state is InstanceState.FAILED),
            ((each.provider, each.id) for each in facts.instances if each.state is InstanceState.RUNNING),
        )

    def _want(self, now: float, version: VersionFacts, state: _State) -> int:
        tally = state.tallies[version.id]
        demand = self._demands.get(version.id)
        if demand is None:
            # A scaler that was made anew does not scale in what it finds.
            demand = self._demands[version.id] = Demand(self._policy, max(version.minimum, tally.alive))
        provider = state.providers.get(version.provider)
        demand.observe(
            now,
            ready=tally.ready,
            cpu=tally.cpu,
            slots=tally.slots,
            refusals=version.refusals,
            cpu_target=provider.cpu_target if provider else None,
        )
        demand.clamp(version.minimum, version.maximum)
        return demand.wanted

    def _provide(self, now: float, provider: ProviderFacts, state: _State, decisions: Decisions) -> None:
        """Start what is missing of a provider's versions, drain what they have too many."""
        versions = [version for version in state.versions.values() if version.provider == provider.name]
        missing = {each.id: decisions.wanted[each.id] - state.tallies[each.id].staying for each in versions}
        look = now - self._saved_at.setdefault(provider.name, now) >= 60.0
        moving = any(state.tallies[each.id].alive > state.tallies[each.id].staying for each in versions)
        if not look and not moving and not any(missing.values()):
            return
        book = Book(
            provider,
            state.instances_of.get(provider.name, ()),
            state.environments_of.get(provider.name, ()),
            state.versions,
            leaving=self._leaving,
            policy=self._policy,
            new_id=self._new_id,
        )
        for version in versions:
            if missing[version.id] < 0:
                decisions.drain += book.surplus(version, -missing[version.id])
            self._even(version, missing, book, state, decisions)
        self._start(now, [each for each in versions if missing[each.id] > 0], missing, book, state, decisions)
        if look:
            self._saved_at[provider.name] = now
            if not any(missing.values()) and not any(self._demands[each.id].surging(now) for each in versions):
                self._save(now, provider, book, state)
        decisions.launch += book.launches
        decisions.start += book.starts

    def _even(
        self, version: VersionFacts, missing: dict[str, int], book: Book, state: _State, decisions: Decisions
    ) -> None:
        """Let zones be even again when a version shrinks while an instance of it is emptied.

        What is on that instance would just go, all of it from one zone; but it serves until others are Ready.
        """
        tally = state.tallies[version.id]
        if missing[version.id] <= 0 and tally.alive > tally.staying:
            moves = book.unevenness(version)
            decisions.drain += book.surplus(version, moves)
            tally.staying_ready -= moves
            missing[version.id] = moves

    def _start(
        self,
        now: float,
        versions: Iterable[VersionFacts],
        missing: Mapping[str, int],
        book: Book,
        state: _State,
        decisions: Decisions,
    ) -> None:
        """Place one environment of each version in turn, so that none takes all the room; minimums come first."""
        waiting: list[tuple[VersionFacts, int, int]] = []
        for version in versions:
            if self._inits.held(now, version.id):
                continue
            here = state.tallies[version.id].staying
            urgent = min(max(version.minimum - here, 0), missing[version.id])
            waiting.append((version, urgent, missing[version.id] - urgent))
        for rounds in ([(v, urgent) for v, urgent, _ in waiting], [(v, rest) for v, _, rest in waiting]):
            left = [(version, count) for version, count in rounds if count and version.id not in decisions.blocked]
            while left:
                further: list[tuple[VersionFacts, int]] = []
                for version, count in left:
                    reason = book.place(version, may_launch=not self._boots.held(now, version.provider))
                    if reason is not None:
                        self._block(version, reason, state, decisions)
                    elif count > 1:
                        further.append((version, count - 1))
                left = further

    def _block(self, version: VersionFacts, reason: Reason, state: _State, decisions: Decisions) -> None:
        # While an instance is being replaced, what is on it still serves.
        if state.tallies[version.id].alive < decisions.wanted[version.id]:
            decisions.blocked[version.id] = reason

    def _save(self, now: float, provider: ProviderFacts, book: Book, state: _State) -> None:
        """Choose instances to be emptied: those that are too old, else the least full that the rest can do without."""
        policy = self._policy
        instances = state.instances_of.get(provider.name, ())
        may = max(1, int(len(instances) * policy.leaving)) - sum(each.id in self._leaving for each in instances)
        hosts = [
            (each, book.hosts[each.id])
            for each in sorted(instances, key=lambda each: each.launched_at)
            if each.state is InstanceState.RUNNING and each.id in book.hosts and book.hosts[each.id].environments
        ]
        budget = book.budget
        for instance, host in hosts:
            if may <= 0 or now - instance.launched_at < policy.max_age:
                break
            if book.spare(host, state.versions) or budget >= host.type.vcpus:
                budget -= host.type.vcpus
                self._leaving.add(instance.id)
                may -= 1
        settled = [
            host
            for instance, host in hosts
            if now - instance.launched_at >= policy.empty
            and instance.id not in self._leaving
            and host.used <= host.type.vcpus / 2
        ]
        for host in sorted(settled, key=lambda host: host.used):
            if may <= 0:
                break
            if book.spare(host, state.versions):
                self._leaving.add(host.id)
                may -= 1

    def _drain_leaving(self, state: _State, decisions: Decisions) -> None:
        """Drain instances that are to be emptied, once all that is on them is Ready elsewhere; and what nobody wants."""
        waiting: set[str] = set()
        for each in state.on_leaving:
            tally = state.tallies[each.version]
            if tally.staying_ready < decisions.wanted[each.version]:
                waiting.add(each.instance)
        decisions.drain += [each.id for each in state.on_leaving if each.instance not in waiting]
        decisions.drain += state.unwanted
        decisions.drain_instances += sorted(
            name
            for name in self._leaving - waiting
            if state.instances[name].state is InstanceState.RUNNING and name in state.occupied
        )

    def _terminate(self, now: float, state: _State, decisions: Decisions) -> None:
        empty_since = self._empty_since
        fresh = {start.instance for start in decisions.start}
        still: dict[str, float] = {}
        for instance in state.instances.values():
            name = instance.id
            if instance.state in _BROKEN:
                decisions.terminate.append(name)
            elif instance.state is InstanceState.TERMINATED or name in state.occupied or name in fresh:
                continue
            elif instance.state is InstanceState.DRAINING or name in self._leaving:
                decisions.terminate.append(name)
            else:
                still[name] = empty_since.get(name, now)
                if now - still[name] >= self._policy.empty or instance.provider not in state.providers:
                    decisions.terminate.append(name)
        self._empty_since = still


class _Tally:
    """What there is of a version. `staying`: on instances that are not being emptied."""

    __slots__ = ("alive", "cpu", "ready", "slots", "staying", "staying_ready")

    def __init__(self) -> None:
        self.alive = self.ready = self.staying = self.staying_ready = 0
        self.cpu = self.slots = 0.0


class _State:
    """The facts, sorted once: what is where, and how much of it counts."""

    def __init__(self, facts: Facts, leaving: set[str]) -> None:
        self.providers = {each.name: each for each in facts.providers}
        self.versions = {each.id: each for each in facts.versions if each.provider in self.providers}
        self.tallies = {each.id: _Tally() for each in facts.versions}
        self.instances = {each.id: each for each in facts.instances}
        self.instances_of: dict[str, list[InstanceFacts]] = {each.provider: [] for each in facts.instances}
        self.environments_of: dict[str, list[EnvironmentFacts]] = {name: [] for name in self.instances_of}
        self.occupied: set[str] = set()
        self.on_leaving: list[EnvironmentFacts] = []
        self.unwanted: list[str] = []
        emptying = leaving & self.instances.keys()
        there: dict[str, list[EnvironmentFacts]] = {}
        for each in facts.instances:
            if each.state not in (InstanceState.TERMINATED, InstanceState.FAILED):
                self.instances_of[each.provider].append(each)
            if each.state not in _ENDED:
                there[each.id] = self.environments_of[each.provider]
            if each.state is InstanceState.DRAINING:
                emptying.add(each.id)
        self._count(facts.environments, there, emptying)

    def runs(self, instance: str) -> bool:
        """Say whether an instance is Running: what dies on another dies with it."""
        there = self.instances.get(instance)
        return there is not None and there.state is InstanceState.RUNNING

    def _count(
        self, environments: Iterable[EnvironmentFacts], there: Mapping[str, list[EnvironmentFacts]], emptying: set[str]
    ) -> None:
        """Count what is on instances that are there. Fleets are large: this loop and the book's are where time goes."""
        ready, starting, draining = EnvironmentState.READY, EnvironmentState.STARTING, EnvironmentState.DRAINING
        for each in environments:
            state, name = each.state, each.instance
            around = there.get(name)
            if around is None or (state is not ready and state is not starting and state is not draining):
                continue
            around.append(each)
            self.occupied.add(name)
            if state is draining:
                continue
            tally = self.tallies.get(each.version)
            if tally is None:
                self.unwanted.append(each.id)
                continue
            stays = name not in emptying
            tally.alive += 1
            if state is ready:
                tally.ready += 1
                tally.cpu += each.cpu
                tally.slots += each.slots_in_use
                tally.staying_ready += stays
            if stays:
                tally.staying += 1
            else:
                self.on_leaving.append(each)
