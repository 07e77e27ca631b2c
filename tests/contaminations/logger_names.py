"""A logger for each order: logging keeps them all."""

# mode: thread
# rule: RUN108
# event: {"order": "1007-a"}
import logging


def handler(event, context):
    log = logging.getLogger("orders." + event["order"])
    log.info("placed")
    return "placed"
