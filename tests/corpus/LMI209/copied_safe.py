"""A logger that is made like another one, as often as it is asked for."""
# mode: thread
import logging

base = logging.getLogger("shop")


def logger(name):
    made = logging.getLogger("shop:" + name)
    made.disabled = base.disabled
    made.setLevel(base.level)
    if len(made.handlers) == 0:
        for each in base.handlers:
            made.addHandler(each)
    return made


def handler(event, context):
    logger("orders").info("order %s", event["order"])
