"""A simulation in one picture, as SVG: panels below each other, one axis of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.plane.simulation.engine import Result

_WIDTH, _LEFT, _RIGHT = 760, 66, 16  # pixels
_PANEL, _GAP, _HEAD = 110, 40, 58
_TEXT, _QUIET, _GRID = "#212529", "#6c757d", "#e9ecef"
_COLOURS = ("#0b7285", "#e8590c", "#adb5bd", "#7048e8")
_CAUSES = ("ConcurrencyThrottles", "CPUThrottles", "MemoryThrottles", "DiskThrottles")


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    lines: Sequence[tuple[str, Sequence[float]]]
    top: float | None = None  # of the scale; None: a little above all values


def plot(result: Result) -> str:
    """Draw what came of a simulation."""
    samples = result.samples
    panels = [
        _Panel("invocations a second", [("", [sample.invocations / sample.seconds for sample in samples])]),
        _Panel(
            "environments and instances",
            [
                ("environments Ready", [sample.environments for sample in samples]),
                ("instances Running", [sample.instances for sample in samples]),
                ("environments wanted", [sample.wanted for sample in samples]),
            ],
        ),
        _Panel(
            "share in use, %",
            [
                ("slots", [sample.slots_in_use * 100 for sample in samples]),
                ("CPU", [sample.cpu * 100 for sample in samples]),
            ],
            top=100.0,
        ),
        _Panel(
            "invocations throttled, %",
            [
                (cause.removesuffix("Throttles"), shares)
                for cause in _CAUSES
                if any(shares := [_share(sample.throttles.get(cause, 0), sample.invocations) for sample in samples])
            ]
            or [("none", [0.0 for _ in samples])],
        ),
    ]
    times = [sample.at for sample in samples]
    parts = [_text(20, 26, f"{result.scenario.name}: {result.scenario.about}", size=14, weight=600)]
    y = _HEAD
    for panel in panels:
        parts += _draw(panel, times, y)
        y += _PANEL + _GAP
    parts += _axis(times[-1], y - _GAP)
    return _document(y, result.scenario.about, parts)


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _draw(panel: _Panel, times: Sequence[float], y: int) -> list[str]:
    top = panel.top or _round_up(max(max(values) for _, values in panel.lines))
    right = _WIDTH - _RIGHT
    parts = [_text(_LEFT, y - 8, panel.title, size=12, weight=600)]
    for part in (0.0, 0.5, 1.0):
        at = y + _PANEL * (1 - part)
        parts.append(f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 8, round(at) + 4, f"{top * part:,.10g}", size=11, fill=_QUIET, anchor="end"))
    label = right
    # The first line is drawn last, and so on top of the others; its name is the first from the left.
    for colour, (name, values) in reversed(list(zip(_COLOURS, panel.lines, strict=False))):
        points = " ".join(
            f"{_x(time, times[-1]):.1f},{y + _PANEL * (1 - min(value / top, 1)):.1f}"
            for time, value in zip(times, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if name:
            parts.append(_text(label, y - 8, name, size=11, fill=colour, anchor="end", weight=600))
            label -= 7 * len(name) + 12
    return parts


def _axis(last: float, y: int) -> list[str]:
    unit, name = next((each for each in ((3600, "h"), (60, "min")) if last >= 3 * each[0]), (1, "s"))
    step = _round_up(last / unit / 8)
    parts: list[str] = []
    at = 0.0
    while at * unit <= last * 1.001:
        parts.append(_text(round(_x(at * unit, last)), y + 18, f"{at:g} {name}", size=11, fill=_QUIET, anchor="middle"))
        at += step
    return parts


def _x(time: float, last: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * time / last


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 3, 4, 5, 6, 8 and 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 < value:
        power *= 10
    return next(power * step for step in (1, 2, 3, 4, 5, 6, 8, 10) if power * step >= value * 0.9999)


def _text(
    x: int, y: int, text: str, *, size: int = 13, weight: int = 400, fill: str = _TEXT, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _document(height: int, about: str, parts: list[str]) -> str:
    lines = "\n".join(parts)
    quotes = {'"': "&quot;"}
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(about, quotes)}">\n'
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="#ffffff"/>\n{lines}\n</svg>\n'
    )
