"""PostgreSQL: one pool of connections for all invocations of an environment, opened before the first and closed at the end.

The pool is of the event loop that the handlers run on, so it is made in the lifespan and not when the module is imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import asyncpg

from polylambda import LambdaContext, LambdaManagedRuntime

TABLE = "CREATE TABLE IF NOT EXISTS notes (number serial PRIMARY KEY, author text NOT NULL, text text NOT NULL)"
CONNECTIONS = 4  # of each process; every environment has as many, so the database needs room for all of them
PATIENCE = 5.0  # seconds to wait for a free connection, or for an answer


@dataclass
class NewNote:
    author: str
    text: str


@dataclass
class Note:
    number: int
    author: str
    text: str


@contextlib.asynccontextmanager
async def lifespan() -> AsyncGenerator[asyncpg.Pool]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=1, max_size=CONNECTIONS, command_timeout=PATIENCE) as pool:
        await pool.execute(TABLE)
        yield pool


async def handler(event: NewNote, context: LambdaContext) -> Note:
    pool: asyncpg.Pool = context.state
    # A connection is taken for as long as it is needed: other invocations have it before and after.
    async with pool.acquire(timeout=PATIENCE) as connection:
        row = await connection.fetchrow(
            "INSERT INTO notes (author, text) VALUES ($1, $2) RETURNING number, author, text", event.author, event.text
        )
    return Note(**row)


runtime = LambdaManagedRuntime(handler, lifespan=lifespan)

if __name__ == "__main__":
    runtime.run()
