"""A pool gives each invocation a connection of its own, for as long as it needs it."""
# mode: thread
import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DATABASE"], min_size=1, max_size=8)


def handler(event, context):
    with pool.connection() as connection:
        connection.execute("INSERT INTO orders (item) VALUES (%s)", (event["item"],))
    return "stored"
