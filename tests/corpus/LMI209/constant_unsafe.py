"""The level is the request's."""
# mode: thread
import logging

logger = logging.getLogger(__name__)


def handler(event, context):
    logger.setLevel(event["level"])  # unsafe: LMI209
    logger.info("event %s", event)
