"""Their siblings that do not."""
# mode: task
import aiosmtplib
import httpx
import psycopg_pool
import redis.asyncio as redis

cache = redis.Redis(host="cache.internal")
http = httpx.AsyncClient()
pool = psycopg_pool.AsyncConnectionPool("dbname=orders", open=False)


async def handler(event, context):
    known = await cache.get(event["id"])
    if known is None:
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT item FROM orders WHERE id = %s", (event["id"],))
            known = (await cursor.fetchone())[0]
    await http.post("https://audit.internal", json={"id": event["id"]})
    await aiosmtplib.send(known, sender="shop@example.com", recipients=[event["to"]], hostname="mail.internal")
