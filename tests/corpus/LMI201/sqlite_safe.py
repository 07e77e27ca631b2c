"""In memory, and one that is opened to read."""
# mode: process
import contextlib
import sqlite3


def handler(event, context):
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE lines (item TEXT, price REAL)")
        database.executemany("INSERT INTO lines VALUES (:item, :price)", event["lines"])
        total = database.execute("SELECT sum(price) FROM lines").fetchone()[0]
    with contextlib.closing(sqlite3.connect("file:/opt/rates.db?mode=ro", uri=True)) as rates:
        return total * rates.execute("SELECT rate FROM rates").fetchone()[0]
