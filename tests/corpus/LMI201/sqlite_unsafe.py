"""A database file that all invocations fill for themselves."""
# mode: process
import contextlib
import sqlite3


def handler(event, context):
    with contextlib.closing(sqlite3.connect("/tmp/scratch.db")) as database:  # unsafe: LMI201
        database.execute("CREATE TABLE IF NOT EXISTS lines (item TEXT, price REAL)")
        database.executemany("INSERT INTO lines VALUES (:item, :price)", event["lines"])
        return database.execute("SELECT sum(price) FROM lines").fetchone()[0]
