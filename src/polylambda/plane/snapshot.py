"""The fleet as a document: what `polylambda ps` shows, and the gauges among CloudWatch's metrics. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polylambda.plane.router import Cause
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polylambda.plane.clock import Clock
    from polylambda.plane.fleet import Environment, Fleet, Host
    from polylambda.plane.lives import VersionLife
    from polylambda.plane.metrics import Gauges, Metrics
    from polylambda.plane.reconciler import Reconciler

_RUNNING = (InstanceState.RUNNING, InstanceState.DRAINING)
_MEBIBYTE = 1024 * 1024


class Snapshot:
    """Looks at a fleet: `document()` for people and programs, `gauges()` for a scraper."""

    def __init__(self, fleet: Fleet, reconciler: Reconciler, metrics: Metrics, clock: Clock) -> None:
        self._fleet = fleet
        self._reconciler = reconciler
        self._metrics = metrics
        self._clock = clock

    def document(self) -> dict[str, Any]:
        """Return everything there is, as JSON can hold it. Shares are 0 to 1, memory is MiB, times are plane seconds."""
        now = self._clock.now()
        return {
            "time": round(now, 3),
            "providers": [
                {
                    "name": life.record.name,
                    "state": life.state.value,
                    "vcpus": sum(host.type.vcpus for host in self._fleet.hosts_of(life.record.name)),
                    "max_vcpus": life.record.max_vcpus,
                }
                for life in self._reconciler.providers.values()
            ],
            "versions": [self._version(life) for life in self._reconciler.lives.values()],
            "instances": [_instance(host, now) for host in self._fleet.hosts.values()],
            "environments": [
                _environment(each, self._fleet.hosts[each.instance])
                for each in self._fleet.environments.values()
                if each.instance in self._fleet.hosts
            ],
        }

    def gauges(self) -> Gauges:
        """Return the metrics of environments and instances, as they are now."""
        gauges: Gauges = {}

        def put(metric: str, dimensions: tuple[tuple[str, str], ...], value: float) -> None:
            gauges.setdefault(metric, {})[dimensions] = value

        for life in self._reconciler.lives.values():
            ready = [each for each in self._environments(life) if each.state is EnvironmentState.READY]
            if not ready:
                continue
            record = life.record
            of_version = (
                ("CapacityProviderName", record.provider),
                ("FunctionName", record.function_name),
                ("Resource", f"{record.function_name}:{record.qualifier}"),
            )
            put("ExecutionEnvironmentConcurrency", of_version, max(each.in_flight for each in ready))
            put("ExecutionEnvironmentConcurrencyLimit", of_version, record.slots)
            put("ExecutionEnvironmentCPUUtilization", of_version, _mean(each.cpu for each in ready) * 100)
            memory = _mean(each.memory for each in ready) / record.memory * 100
            put("ExecutionEnvironmentMemoryUtilization", of_version, memory)
        groups: dict[tuple[tuple[str, str], ...], list[Host]] = {}
        for host in self._fleet.hosts.values():
            if host.state in _RUNNING:
                of_type = (("CapacityProviderName", host.provider), ("InstanceType", host.type.name))
                groups.setdefault(of_type, []).append(host)
        for of_type, hosts in groups.items():
            memory = sum(host.type.memory for host in hosts)
            records = [each.revision.record for host in hosts for each in host.environments.values() if not each.ended]
            put("CPUUtilization", of_type, _mean(host.cpu for host in hosts) * 100)
            put("MemoryUtilization", of_type, sum(host.memory_used for host in hosts) / memory * 100)
            put("vCPUAvailable", of_type, sum(host.type.vcpus for host in hosts))
            put("vCPUAllocated", of_type, sum(record.vcpus for record in records))
            put("MemoryAvailable", of_type, memory * _MEBIBYTE)
            put("MemoryAllocated", of_type, sum(record.memory for record in records) * _MEBIBYTE)
        return gauges

    def _environments(self, life: VersionLife) -> list[Environment]:
        return self._fleet.environments_of(life.record.arn)

    def _version(self, life: VersionLife) -> dict[str, Any]:
        record, status = life.record, life.status
        environments = self._environments(life)
        figures = self._metrics.function(record.function_name, record.qualifier)
        return {
            "arn": record.arn,
            "function": record.function_name,
            "qualifier": record.qualifier,
            "provider": record.provider,
            "state": status.state.value,
            "reason": status.reason,
            "wanted": self._reconciler.wanted.get(life.revision.id, 0),
            "ready": sum(each.state is EnvironmentState.READY for each in environments),
            "min": record.min_environments,
            "max": record.max_environments,
            "slots": record.slots,
            "in_flight": sum(each.in_flight for each in environments),
            "invocations": figures.total("Invocations"),
            "errors": figures.total("Errors"),
            "throttles": {cause.value: figures.total(cause.value) for cause in Cause},
        }


def _instance(host: Host, now: float) -> dict[str, Any]:
    return {
        "id": host.id,
        "provider": host.provider,
        "type": host.type.name,
        "zone": host.zone,
        "state": host.state.value,
        "vcpus": host.type.vcpus,
        "memory": host.type.memory,
        "cpu": round(host.cpu, 4),
        "memory_used": round(host.memory_used, 1),
        "environments": sum(not each.ended for each in host.environments.values()),
        "pid": host.instance.pid if host.instance is not None else 0,
        "age": round(now - host.launched_at, 3),
    }


def _environment(each: Environment, host: Host) -> dict[str, Any]:
    return {
        "id": each.id,
        "version": each.revision.record.arn,
        "instance": each.instance,
        "zone": host.zone,
        "state": each.state.value,
        "slots": each.revision.record.slots,
        "in_flight": each.in_flight,
        "cpu": round(each.cpu, 4),
        "memory": round(each.memory, 1),
        "pid": each.pid,
        "hot": each.hot.value if each.hot is not None else None,
    }


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0
