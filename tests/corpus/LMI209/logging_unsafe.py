"""A verbose request makes all of them verbose, and each one adds another handler."""
# mode: thread
import logging
import sys

logger = logging.getLogger(__name__)


def handler(event, context):
    if event.get("debug"):
        logging.getLogger().setLevel(logging.DEBUG)  # unsafe: LMI209
    logger.addHandler(logging.StreamHandler(sys.stdout))  # unsafe: LMI209
    logger.debug("event %s", event)
    return "ok"
