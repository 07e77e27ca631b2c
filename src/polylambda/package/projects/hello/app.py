"""Greets: a typed event in, a typed result out. An event that does not fit is refused before the handler sees it."""

from __future__ import annotations

from dataclasses import dataclass

from polylambda import LambdaContext, LambdaManagedRuntime

WORDS = {"de": "Hallo", "en": "Hello", "fr": "Bonjour"}


@dataclass
class Visitor:
    name: str
    language: str = "en"


@dataclass
class Greeting:
    greeting: str


async def handler(event: Visitor, context: LambdaContext) -> Greeting:
    return Greeting(f"{WORDS.get(event.language, 'Hello')} {event.name}!")


if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
