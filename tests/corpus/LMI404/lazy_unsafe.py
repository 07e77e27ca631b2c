"""Made by the first invocation, used by all; asyncpg refuses a second query while one is under way."""
# mode: task
import asyncpg

_connection = None


async def connect():
    global _connection
    if _connection is None or _connection.is_closed():
        _connection = await asyncpg.connect("postgresql://orders")  # unsafe: LMI404
    return _connection


async def handler(event, context):
    connection = await connect()
    return await connection.fetchval("SELECT count(*) FROM orders WHERE item = $1", event["item"])
