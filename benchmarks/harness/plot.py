"""The results in one picture: bars of polylambda beside awslambdaric, as SVG."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

_RIC = "awslambdaric"
_RATES = (
    ("8 slots", "noop-8", "polylambda process"),
    ("64 slots", "noop-64", "polylambda hybrid, uvloop"),
    ("256 slots", "noop-256", "polylambda task, uvloop"),
)
_MEMORY = (
    ("bare module", "memory-64", "polylambda task, uvloop"),
    ("boto3 client", "memory-64-boto3", "polylambda task, uvloop"),
)
_WIDTH, _LEFT, _FULL = 760, 110, 430  # pixels: the picture, where bars begin, the longest bar
_BAR, _GAP, _HEAD = 16, 18, 54
_OURS, _THEIRS, _TEXT, _QUIET = "#0b7285", "#adb5bd", "#212529", "#6c757d"


def plot(results: list[dict[str, Any]]) -> str | None:
    """Draw the newest Python of which all is known that the picture shows; None when there is none."""
    pythons: dict[str, dict[str, dict[str, Any]]] = {}
    for result in results:
        pythons.setdefault(result["python"], {})[result["scenario"]] = result
    shown = _RATES + _MEMORY
    complete = [
        python
        for python, by_scenario in pythons.items()
        if all(ours in by_scenario.get(name, {"subjects": {}})["subjects"] for _, name, ours in shown)
    ]
    if not complete:
        return None
    python = max(complete, key=lambda name: [int(part) for part in name.split()[-1].split(".") if part.isdigit()])
    by_scenario = pythons[python]

    parts: list[str] = []
    y = _HEAD
    for title, rows, metric, unit in (
        ("Invocations per second, handlers that do nothing: more is better", _RATES, "rate", ""),
        ("Memory of 64 slots, PSS of all processes: less is better", _MEMORY, "pss", " MiB"),
    ):
        parts.append(_text(20, y + 4, title, weight=600))
        y += 20
        figures = [
            (label, ours, by_scenario[name]["subjects"][_RIC][metric], by_scenario[name]["subjects"][ours][metric])
            for label, name, ours in rows
        ]
        longest = max(max(theirs["median"], own["median"]) for _, _, theirs, own in figures)
        for label, ours, theirs, own in figures:
            parts.append(_text(_LEFT - 12, y + _BAR + 4, label, anchor="end"))
            mode = ours.removeprefix("polylambda ").partition(",")[0]
            times = own["ratio"] if own["ratio"] >= 1 else 1 / own["ratio"]
            note = f"{times:.1f} times" if own["ratio"] >= 1 else f"1/{times:.0f}"
            parts += _bar(y, own["median"] / longest, _OURS, f"{own['median']:,.0f}{unit}", f"{note}, {mode}")
            parts += _bar(y + _BAR, theirs["median"] / longest, _THEIRS, f"{theirs['median']:,.0f}{unit}", "")
            y += 2 * _BAR + _GAP
        y += 16
    source = by_scenario[_RATES[0][1]]
    versions = source["versions"]
    parts.append(_text(20, y + 2, f"{python}, {source['machine']}; {source['date']}", size=11, fill=_QUIET))
    return _document(y + 18, [*_legend(versions), *parts])


def _document(height: int, parts: list[str]) -> str:
    lines = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img" '
        'aria-label="polylambda beside awslambdaric: invocations per second and memory">\n'
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="#ffffff"/>\n{lines}\n</svg>\n'
    )


def _legend(versions: dict[str, str]) -> list[str]:
    return [
        f'<rect x="20" y="16" width="12" height="12" rx="2" fill="{_OURS}"/>',
        _text(38, 27, "polylambda", weight=600),
        f'<rect x="130" y="16" width="12" height="12" rx="2" fill="{_THEIRS}"/>',
        _text(148, 27, f"awslambdaric {versions['awslambdaric']}"),
    ]


def _bar(y: int, part: float, fill: str, value: str, note: str) -> list[str]:
    width = max(2, round(_FULL * part))
    label = f"{value}  ({note})" if note else value
    return [
        f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR - 1}" rx="2" fill="{fill}"/>',
        _text(_LEFT + width + 8, y + 12, label, size=12, weight=600 if note else 400),
    ]


def _text(
    x: int, y: int, text: str, *, size: int = 13, weight: int = 400, fill: str = _TEXT, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
