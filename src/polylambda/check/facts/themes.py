"""All the tables, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.facts import aws, blocking, cloud, computing, databases, files, http, process, queues, work

if TYPE_CHECKING:
    from polylambda.check.facts.fact import Fact, Theme

_THEMES: tuple[Theme, ...] = tuple(
    module.THEME for module in (process, blocking, work, files, computing, http, databases, aws, queues, cloud)
)

FACTS: dict[str, tuple[Fact, ...]] = {}
GIVES: dict[str, str] = {}
ALIASES: dict[str, str] = {}
for _theme in _THEMES:
    for _name, _facts in _theme.facts.items():
        FACTS[_name] = (*FACTS.get(_name, ()), *_facts)
    GIVES.update(_theme.gives)
    ALIASES.update(_theme.aliases)
