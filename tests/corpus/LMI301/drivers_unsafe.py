"""Database, cache and mail, all of them with drivers that block."""
# mode: task
import smtplib

import psycopg2
import redis
from requests import Session

cache = redis.Redis(host="cache.internal")
http = Session()


async def handler(event, context):
    known = cache.get(event["id"])  # unsafe: LMI301
    if known is None:
        with psycopg2.connect("dbname=orders") as connection:  # unsafe: LMI301
            cursor = connection.cursor()
            cursor.execute("SELECT item FROM orders WHERE id = %s", (event["id"],))  # unsafe: LMI301
            known = cursor.fetchone()[0]  # unsafe: LMI301
    http.post("https://audit.internal", json={"id": event["id"]}, timeout=1)  # unsafe: LMI301
    with smtplib.SMTP("mail.internal") as mail:  # unsafe: LMI301
        mail.sendmail("shop@example.com", event["to"], known)  # unsafe: LMI301
