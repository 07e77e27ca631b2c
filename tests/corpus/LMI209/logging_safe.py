"""Configured at import; what belongs to the request goes into the record."""
# mode: thread
import logging
import sys

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
logger = logging.getLogger(__name__)
logger.setLevel(logging.DEBUG)


def handler(event, context):
    own = logging.LoggerAdapter(logger, {"order": event["order"]})
    if logger.isEnabledFor(logging.DEBUG):
        own.debug("event %s", event)
    logging.getLogger("orders").info("placed", extra={"order": event["order"]})
    return "ok"
