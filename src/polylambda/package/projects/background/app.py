"""Answers first and works afterwards: the caller waits for the receipt only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from polylambda import LambdaContext, LambdaManagedRuntime, ResponseWriter

EFFORT = 0.5  # seconds for each page


@dataclass
class Report:
    title: str
    pages: int = 1


@dataclass
class Receipt:
    id: str
    status: str


async def handler(event: Report, response: ResponseWriter[Receipt], context: LambdaContext) -> None:
    await response.write(Receipt(id=context.aws_request_id, status="accepted"))
    # The caller has its answer. The invocation is over when the handler returns.
    for number in range(1, event.pages + 1):
        await write_page(event, number)
        print(f"{event.title}: page {number} of {event.pages}")


async def write_page(report: Report, number: int) -> None:
    await asyncio.sleep(EFFORT)


if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
