"""A logger of the request is none: it is found by its name, and lives on."""
# mode: thread
import logging


def handler(event, context):
    own = logging.getLogger("orders." + event["customer"])
    own.addHandler(logging.StreamHandler())  # unsafe: LMI209
    own.info("order %s", event["order"])
