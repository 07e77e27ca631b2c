"""What a person sees of a plane: its fleet as tables, and a load as it goes. Tables fit into 80 columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from polylambda.plane.changes import short_name
from polylambda.plane.records import LATEST
from polylambda.plane.tally import Tally, Verdict, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from polylambda.plane.contact import Snapshot
    from polylambda.plane.plan import Plan
    from polylambda.plane.tally import Row

_STATES = {
    "Active": "green",
    "Running": "green",
    "Ready": "green",
    "Pending": "yellow",
    "Starting": "yellow",
    "Draining": "cyan",
    "Deactivating": "cyan",
    "Deleting": "cyan",
    "Failed": "bold red",
    "Unhealthy": "bold red",
    "Dead": "bold red",
}
_BAR = 8  # characters of a bar of slots, at most
_ID = 8  # characters of an id that tell two of them apart


def fleet(snapshot: Snapshot) -> RenderableType:
    """Return capacity providers, versions, and instances with what runs on them."""
    if not snapshot["providers"] and not snapshot["versions"]:
        return Text("An empty plane: no capacity providers, no functions.", "dim")
    return Group(_providers(snapshot), _versions(snapshot), _instances(snapshot))


def summary(snapshot: Snapshot) -> Text:
    """Return the fleet in one line."""
    instances = Counter(each["state"] for each in snapshot["instances"])
    environments = Counter(each["state"] for each in snapshot["environments"])
    in_flight = sum(version["in_flight"] for version in snapshot["versions"])
    return Text.assemble(
        (f"{_counted(instances, 'Running', 'instance')}   ", "bold"),
        (f"{_counted(environments, 'Ready', 'environment')}   ", "bold"),
        f"{in_flight} in flight",
    )


def _counted(states: Mapping[str, int], usual: str, noun: str) -> str:
    """Such as `3 instances + 1 Pending`."""
    count = states.get(usual, 0)
    others = "".join(f" + {number} {state}" for state, number in states.items() if state != usual)
    return f"{count} {noun}{'' if count == 1 else 's'}{others}"


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def _state(state: str) -> Text:
    return Text(state, _STATES.get(state, ""))


def _share(value: float | None) -> Text:
    """A share as a percentage, in the colour of how near it is to its end."""
    if value is None:
        return Text("-", "dim")
    style = "red" if value >= 0.9 else "yellow" if value >= 0.6 else ""
    return Text(f"{value * 100:.0f}%", style)


def _providers(snapshot: Snapshot) -> RenderableType:
    table = _table("CAPACITY PROVIDER", "STATE", "vCPUs", "OF", "INSTANCES", right=("vCPUs", "OF", "INSTANCES"))
    counts = Counter(instance["provider"] for instance in snapshot["instances"])
    for each in snapshot["providers"]:
        table.add_row(
            each["name"], _state(each["state"]), f"{each['vcpus']:g}", str(each["max_vcpus"]), str(counts[each["name"]])
        )
    return Padding(table, (0, 0, 1, 0), expand=False)


def _versions(snapshot: Snapshot) -> RenderableType:
    numbers = ("READY", "WANTED", "MIN-MAX", "IN FLIGHT", "INVOCATIONS", "ERRORS", "THROTTLES")
    table = _table("FUNCTION", "STATE", *numbers, right=numbers)
    published = {each["function"] for each in snapshot["versions"] if each["qualifier"] != LATEST}
    for each in snapshot["versions"]:
        if each["qualifier"] == LATEST and each["function"] in published:
            continue  # it never runs
        maximum = each["max"]
        slots = each["ready"] * each["slots"]
        table.add_row(
            short_name(each),
            _state(each["state"]),
            str(each["ready"]),
            str(each["wanted"]),
            f"{each['min']}-{'' if maximum is None else maximum}",
            f"{each['in_flight']} of {slots}",
            str(each["invocations"]),
            Text(str(each["errors"]), "red" if each["errors"] else ""),
            Text(_throttles(each["throttles"]), "red" if any(each["throttles"].values()) else ""),
        )
        if each["reason"]:
            table.add_row(Text(f"  {each['reason']}", "yellow"))
    return Padding(table, (0, 0, 1, 0), expand=False)


def _throttles(causes: Mapping[str, int]) -> str:
    """Such as `12 (CPU 10, Concurrency 2)`."""
    some = {cause.removesuffix("Throttles"): count for cause, count in causes.items() if count}
    detail = ", ".join(f"{cause} {count}" for cause, count in some.items())
    return f"{sum(some.values())}{f' ({detail})' if detail else ''}"


def _instances(snapshot: Snapshot) -> RenderableType:
    table = _table("INSTANCE", "TYPE", "ZONE", "STATE", "CPU", "MiB", "SLOTS", "PID", right=("CPU", "MiB", "PID"))
    on: dict[str, list[dict[str, Any]]] = {}
    for environment in snapshot["environments"]:
        on.setdefault(environment["instance"], []).append(environment)
    names = {version["arn"]: short_name(version) for version in snapshot["versions"]}
    for each in sorted(snapshot["instances"], key=lambda instance: (instance["zone"], instance["id"])):
        table.add_row(
            Text(each["id"], "bold"),
            each["type"],
            each["zone"].rpartition("-")[2],
            _state(each["state"]),
            _share(each["cpu"]),
            f"{each['memory_used']:.0f}/{each['memory']}",
            "",
            str(each["pid"] or ""),
        )
        for environment in on.get(each["id"], []):
            table.add_row(*_environment(environment, names))
    return table


def _environment(each: Mapping[str, Any], names: Mapping[str, str]) -> list[RenderableType]:
    return [
        Text.assemble("  ", (each["id"][:_ID], "cyan")),
        names.get(each["version"], each["version"]),
        "",
        _state(each["state"]) + Text(f" {each['hot']}" if each["hot"] else "", "red"),
        _share(each["cpu"]),
        f"{each['memory']:.0f}",
        _bar(each["in_flight"], each["slots"]),
        str(each["pid"] or ""),
    ]


def _bar(used: int, slots: int) -> Text:
    """Slots in use: a character for each, or fewer when they are many."""
    width = min(slots, _BAR)
    full = -(-used * width // slots) if slots else 0
    return Text.assemble(("■" * full, "yellow"), ("·" * (width - full), "dim"), f" {used}/{slots}")


# A plan


def plan(wanted: Plan) -> RenderableType:
    """Return what a template asks for, and what was left out of it."""
    lines = [Text.assemble(("from ", "dim"), str(wanted.source))]
    lines += [Text(f"  capacity provider {each.name}") for each in wanted.providers]
    lines += [Text(f"  function {each.name}, code in {each.code}") for each in wanted.functions]
    lines += [Text(f"  {remark}", "yellow") for remark in wanted.remarks]
    return Group(*lines)


# A load

_COLUMNS = (
    *("SECOND", "DUE/s", "DONE/s", "p50 ms", "p99 ms"),
    *("THROTTLED", "FAILED", "BUSY", "ENVIRONMENTS", "INSTANCES"),
)


def load_head() -> Text:
    """Return the head of the rows of a load. BUSY is slots in use; `3 → 5` environments: ready, and wanted."""
    return Text(" ".join(_COLUMNS), "dim")


def load_row(row: Row) -> Text:
    """Return a row of a load, as wide as its head."""
    view = row.fleet
    cells = [
        Text(f"{row.at:.0f}"),
        Text(f"{row.due:.0f}"),
        Text(f"{row.answered:.0f}"),
        Text(_milliseconds(row.p50)),
        Text(_milliseconds(row.p99)),
        Text(str(row.throttled), "red" if row.throttled else ""),
        Text(str(row.failed), "red" if row.failed else ""),
        Text("-" if view is None else str(view.in_flight)),
        Text("-" if view is None else _towards(view.ready, view.wanted)),
        Text("-" if view is None else str(view.instances)),
    ]
    for cell, column in zip(cells, _COLUMNS, strict=True):
        cell.align("right", len(column))
    return Text(" ").join(cells)


def load_report(tally: Tally, late: float) -> RenderableType:
    """Return what became of a whole load."""
    lines: list[RenderableType] = []
    total = max(tally.total, 1)
    for verdict in Verdict:
        count = tally.counts[verdict]
        if count or verdict is Verdict.ANSWERED:
            style = "green" if verdict is Verdict.ANSWERED else "red"
            lines.append(Text.assemble((f"{count:7}", style), f"  {verdict.value} ({count / total:.1%})"))
    causes = ", ".join(f"{count} {cause}" for cause, count in tally.throttles.items())
    lines.append(Text(f"throttles by cause: {causes or 'none'}"))
    ordered = sorted(tally.latencies)
    shares = "   ".join(f"p{share:g} {_milliseconds(percentile(ordered, share))}" for share in (50, 90, 99, 99.9, 100))
    lines.append(Text(f"latency, ms: {shares}"))
    lines.extend(
        Text(f"{noun}: {_way(tally.moves(what))}")
        for what, noun in (("ready", "environments"), ("instances", "instances"))
    )
    lines.extend(Text(f"{count} times: {detail}", "red") for detail, count in tally.details.most_common(5))
    if late > 0.05:
        lines.append(
            Text(
                f"The load generator itself was up to {late * 1000:.0f} ms behind: this machine is too slow for more.",
                "yellow",
            )
        )
    return Group(*lines)


def _way(moves: Sequence[tuple[float, int]]) -> str:
    """Such as `3 → 5 (12 s) → 3 (40 s)`."""
    first, *others = moves or [(0.0, 0)]
    return " → ".join([str(first[1]), *(f"{value} ({at:.0f} s)" for at, value in others)])


def _towards(ready: int, wanted: int) -> str:
    return str(ready) if ready == wanted else f"{ready} → {wanted}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"
