"""Imported under its own name, updated in a function further down."""
# mode: thread
from os import environ, putenv

import payments


def handler(event, context):
    prepare(event["headers"])
    return payments.charge(event["amount"])


def prepare(headers):
    environ.update({"HTTP_PROXY": headers["x-proxy"]})  # unsafe: LMI203
    putenv("TRACE", headers["x-trace"])  # unsafe: LMI203
