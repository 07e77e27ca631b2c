"""One connection is one conversation: whoever commits, commits for all."""
# mode: thread
import os

import psycopg

connection = psycopg.connect(os.environ["DATABASE"])  # unsafe: LMI404


def handler(event, context):
    with connection.transaction():
        connection.execute("INSERT INTO orders (item) VALUES (%s)", (event["item"],))
    return "stored"
