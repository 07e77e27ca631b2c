"""JSON in, JSON out: the event is checked against its type before the handler sees it."""

from __future__ import annotations

from dataclasses import dataclass

from polylambda import LambdaContext, LambdaRuntime


@dataclass
class HelloRequest:
    name: str
    times: int = 1


@dataclass
class HelloResponse:
    greetings: list[str]


def handler(event: HelloRequest, context: LambdaContext) -> HelloResponse:
    return HelloResponse(greetings=[f"Hello {event.name}!"] * event.times)


if __name__ == "__main__":
    LambdaRuntime(handler).run()
