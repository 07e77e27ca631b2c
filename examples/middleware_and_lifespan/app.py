"""What is set up once, and what happens around every invocation.

The lifespan opens a database before the first event and closes it after the last one; the middleware notes how long each
invocation took. The handler takes a batch of SQS messages and says which of them to send again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Generator
from typing import Any

from polylambda import LambdaContext, LambdaRuntime, ResponseStream, Waist


@contextlib.contextmanager
def lifespan() -> Generator[sqlite3.Connection]:
    # A `def` handler that is not declared @concurrency_safe has processes for slots.
    with contextlib.closing(sqlite3.connect(":memory:")) as database:  # polylambda: ignore[LMI403] -- one for each slot
        database.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, item TEXT, count INTEGER)")
        print("opened the database")
        yield database
    print("closed the database")


def timed(payload: bytes, response: ResponseStream, context: LambdaContext, call_next: Waist) -> None:
    began = time.perf_counter()
    try:
        call_next(payload, response, context)
    finally:
        print(f"{len(payload)} bytes took {(time.perf_counter() - began) * 1000:.1f} ms")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    database: sqlite3.Connection = context.state
    failures: list[dict[str, str]] = []
    for message in event["Records"]:
        try:
            order = json.loads(message["body"])
            with database:
                database.execute("INSERT OR REPLACE INTO orders VALUES (:id, :item, :count)", order)
        except (ValueError, sqlite3.Error) as error:
            print(f"message {message['messageId']}: {error}")
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


runtime = LambdaRuntime(handler, lifespan=lifespan, middleware=[timed])

if __name__ == "__main__":
    runtime.run()
