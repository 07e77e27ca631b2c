"""Which rules are looked for, and what a project's pyproject.toml says of that."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from polylambda.check.finding import Mode
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_TABLE = "[tool.polylambda.check]"
_KEYS = ("select", "ignore", "mode", "baseline")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a project has written down.

    Attributes:
        select: rules, or beginnings of their ids; empty for all.
        ignore: rules, or beginnings of their ids, that are not looked for.
        mode: the one to check for; None for the handler's own.
        baseline: a file, relative to the project; None for none.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    mode: Mode | None = None
    baseline: str | None = None

    def rules(self, known: Collection[str]) -> frozenset[str]:
        """Return the ids that are looked for, of those that are known.

        Raises:
            ConfigurationError: one that is named is none of them, nor their beginning.
        """
        chosen = _matching(self.select, known) if self.select else frozenset(known)
        return chosen - _matching(self.ignore, known)


def read_selection(root: Path) -> Selection:
    """Return what the pyproject.toml of a folder says.

    Raises:
        ConfigurationError: it cannot be read, or says what is not understood.
    """
    file = root / "pyproject.toml"
    try:
        data: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Selection()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    table = cast("dict[str, Any]", data.get("tool", {}).get("polylambda", {}).get("check", {}))
    for key in table:
        if key not in _KEYS:
            raise ConfigurationError(f"{_TABLE} of {file} has {key!r}; it takes {', '.join(_KEYS)}")
    mode = table.get("mode")
    if mode is not None and mode not in tuple(Mode):
        raise ConfigurationError(f"mode = {mode!r} in {_TABLE} of {file} must be one of {', '.join(Mode)}")
    baseline = table.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise ConfigurationError(f"baseline in {_TABLE} of {file} must be the name of a file")
    return Selection(
        _strings(table, "select", file), _strings(table, "ignore", file), Mode(mode) if mode else None, baseline
    )


def split(given: Iterable[str]) -> tuple[str, ...]:
    """Return rules that are given one by one, or with commas between them.

    Example:
        >>> split(["LMI101,LMI2", "RUF006"])
        ('LMI101', 'LMI2', 'RUF006')
    """
    return tuple(rule.strip() for each in given for rule in each.split(",") if rule.strip())


def _matching(named: Iterable[str], known: Collection[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in named:
        matching = {rule for rule in known if rule.startswith(name.upper())}
        if not matching:
            raise ConfigurationError(f"there is no rule {name!r}; polylambda check --list-rules tells which there are")
        found |= matching
    return frozenset(found)


def _strings(table: dict[str, Any], key: str, file: Path) -> tuple[str, ...]:
    value: Any = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[Any]", value)):
        raise ConfigurationError(f'{key} in {_TABLE} of {file} must be a list of rules, such as ["LMI402"]')
    return tuple(cast("list[str]", value))
