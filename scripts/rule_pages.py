"""Writes the pages of the rules, docs/rules, from the catalogue: `python -m scripts.rule_pages`.

With `--check` it writes nothing, and exits with status 1 when a page is not what the catalogue says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap

from polylambda.check.catalogue import GROUPS, RULES
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule
from scripts.environments import ROOT, say

FOLDER = ROOT / "docs" / "rules"
INDEX = "README.md"

_NOTE = (
    "<!-- Made by `python -m scripts.rule_pages` from src/polylambda/check/catalogue: what is written here is lost. -->"
)
_ABOUT = """
What [`polylambda check`](../check.md) reports, and in which modes it is unsafe. A rule is applied in the mode that the
handler is checked for: `--mode`, or else `task` for an `async def` and `thread` for a `def`.
"""
_WIDTH = 120
_RUFF = "https://docs.astral.sh/ruff/rules"
_FROM_US = ("LMI", "RUN")


def pages() -> Mapping[str, str]:
    """Return every page that the folder should have: its file name, and its text."""
    return {INDEX: _index(), **{f"{rule.id}.md": _page(rule) for rule in RULES.values()}}


def outdated(folder: Path = FOLDER) -> list[str]:
    """Return the names of the files that are not as `pages` has them: missing, different, or too many."""
    wanted = pages()
    found = {path.name: path.read_text() for path in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Write what is outdated, remove what is too many, and return the names of both."""
    changed = outdated(folder)
    wanted = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name])
        else:
            (folder / name).unlink()
    return changed


def _index() -> str:
    parts = [
        _NOTE,
        "# Rules",
        _prose(_ABOUT),
    ]
    for group in GROUPS:
        parts += [f"## {group.title}", _prose(group.about), _table(group.rules)]
    return "\n\n".join(parts) + "\n"


def _table(rules: tuple[Rule, ...]) -> str:
    rows = [f"| [{rule.id}]({rule.id}.md) | {rule.summary} | {', '.join(rule.why)} |" for rule in rules]
    return "\n".join(["| Rule | What is wrong | Modes |", "| --- | --- | --- |", *rows])


def _page(rule: Rule) -> str:
    return (
        "\n\n".join(
            [
                _NOTE,
                f"# {rule.id}: {rule.name}",
                rule.summary,
                _code(rule.unsafe),
                "## In production",
                _prose(rule.production),
                "## In which mode",
                _reasons(rule),
                "## The fix",
                _prose(rule.fix),
                _code(rule.safe),
                *_suppression(rule),
                *_origin(rule),
            ]
        )
        + "\n"
    )


def _prose(text: str) -> str:
    return "\n".join(wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _code(text: str) -> str:
    return f"```python\n{text}```"


def _reasons(rule: Rule) -> str:
    rows = [f"| `{mode}` | {rule.why.get(mode, 'not affected')} |" for mode in Mode]
    return "\n".join(["| Mode | |", "| --- | --- |", *rows])


def _suppression(rule: Rule) -> list[str]:
    if rule.id.startswith("LMI00"):
        return []
    comment = f"# polylambda: ignore[{rule.id}] -- why it is safe here"
    if rule.id.startswith("RUN"):
        return [
            "## Suppress it",
            _prose(
                f"Where it is reported at a line, `{comment}` on that line suppresses it; the reason must be there."
            ),
        ]
    too = "" if rule.id.startswith(_FROM_US) else f" Ruff's own `# noqa: {rule.id}` does it, too."
    return ["## Suppress it", _prose(f"`{comment}` on the line that is reported; the reason must be there.{too}")]


def _origin(rule: Rule) -> list[str]:
    if rule.id.startswith(_FROM_US):
        return []
    link = f"[{rule.id} in ruff's documentation]({_RUFF}/{rule.name}/)"
    return [_prose(f"The rule is ruff's: {link}. It is reported where a handler's code gets to it.")]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        late = outdated()
        if late:
            sys.exit(f"outdated: {', '.join(late)}: run `python -m scripts.rule_pages`")
    else:
        for each in write():
            say(f"docs/rules/{each}")
