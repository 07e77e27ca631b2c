"""What is known of code that is not the user's: the standard library, and the libraries that handlers use most.

Tables by theme, as data, from each library's documentation. What is not in them is taken to be harmless: this is what makes
a finding worth reading.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from polylambda.check.facts.fact import RECEIVER, Effect, Fact
from polylambda.check.facts.themes import ALIASES, FACTS, GIVES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RECEIVER", "Effect", "Fact", "canonical", "facts_of", "given_by"]

_OF_WHAT_IS_GIVEN = (Effect.UNSHAREABLE, Effect.LOOP_BOUND, Effect.UNPOOLED)
_OPERATORS = {
    "__setitem__": "{}[...] = ...",
    "__delitem__": "del {}[...]",
    "__ior__": "{} |= ...",
    "__iadd__": "{} += ...",
}
_STUBS = (
    # The packages of type stubs have a class for each service.
    (re.compile(r"(?:mypy|types)_boto3_\w+\.(?:client\.)?\w+Client"), "botocore.client.BaseClient"),
    (re.compile(r"types_aiobotocore_\w+\.(?:client\.)?\w+Client"), "aiobotocore.client.AioBaseClient"),
    (
        re.compile(r"(?:mypy|types)_boto3_\w+\.(?:service_resource\.)?\w+Resource"),
        "boto3.resources.base.ServiceResource",
    ),
)


@cache
def facts_of(name: str) -> tuple[Fact, ...]:
    """Return what is known of a fully qualified name, such as `time.sleep`; empty when it is nothing.

    A method is named by its type: `botocore.client.BaseClient.put_object`. An assignment ends with `=`: `sys.stdout=`. Of a
    call that gives a known type, what is known of the type is told too.

    Example:
        >>> [fact.rule for fact in facts_of("time.sleep")]
        ['ASYNC251']
    """
    name = canonical(name)
    given = given_by(name)
    found = tuple(_spelled(fact, name) for fact in _lookup(name))
    if given is None or given == name:
        return found
    of_what = given if _is_method(name) else name
    return found + tuple(_spelled(fact, of_what) for fact in _lookup(given) if fact.effect in _OF_WHAT_IS_GIVEN)


@cache
def given_by(name: str) -> str | None:
    """Return the type of what a call of `name` gives, where it is known; `with` binds the same.

    Example:
        >>> given_by("boto3.client")
        'botocore.client.BaseClient'
    """
    return GIVES.get(canonical(name))


@cache
def canonical(name: str) -> str:
    """Return the name by which the tables know a thing that has several, such as `boto3.Session`."""
    for prefix in (name, *_prefixes(name)):
        if prefix in ALIASES:
            return ALIASES[prefix] + name[len(prefix) :]
    if "boto" in name:
        for pattern, known in _STUBS:
            stub = pattern.match(name)
            if stub is not None:
                return known + name[stub.end() :]
    return name


def _lookup(name: str) -> tuple[Fact, ...]:
    """Return the facts of the name, and of what it is below; an empty entry says that there are none at all."""
    own = FACTS.get(name)
    if own == ():
        return ()
    above = next((FACTS[f"{each}.*"] for each in _prefixes(name) if f"{each}.*" in FACTS), ())
    return (own or ()) + tuple(
        fact for fact in above if own is None or fact.effect not in {each.effect for each in own}
    )


def _prefixes(name: str) -> Iterator[str]:
    """Longest first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _spelled(fact: Fact, name: str) -> Fact:
    if "{" not in fact.message and "{" not in fact.instead:
        return fact
    whose, _, method = name.rstrip("=").rpartition(".")
    words = {"name": _short(name), "method": method}
    message = fact.message.format(**words)
    if method in _OPERATORS:
        message = message.replace(f"{words['name']}()", words["name"]).replace(
            words["name"], _OPERATORS[method].format(_short(whose))
        )
    return replace(fact, message=message, instead=fact.instead.format(**words))


def _is_method(name: str) -> bool:
    return any(part[:1].isupper() for part in name.split(".")[:-1])


def _short(name: str) -> str:
    """Return how a reader would say it: a method with its class, anything else with its module."""
    parts = name.removeprefix("builtins.").rstrip("=").split(".")
    if parts[-1] in ("__enter__", "__call__"):
        parts = parts[:-1]
    for at, part in enumerate(parts[:-1]):
        if part[0].isupper():
            return ".".join(parts[at:])
    return ".".join(parts)
