"""The level is the same each time, as if it were set at import; basicConfig does nothing the second time."""
# mode: thread
import logging
import os

logger = logging.getLogger(__name__)


def handler(event, context):
    logging.basicConfig(level=logging.INFO)
    logger.setLevel(int(os.environ.get("LOG_LEVEL", logging.INFO)))
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logger.info("event %s", event)
