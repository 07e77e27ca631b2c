"""Keys of one line, and keys that the logger keeps for each context."""
# mode: thread
from aws_lambda_powertools import Logger

import orders

logger = Logger(service="orders")
logger.append_keys(component="checkout")


def handler(event, context):
    logger.thread_safe_append_keys(order=event["order"])
    logger.info("placing", extra={"customer": event["customer"]})
    return orders.place(event["order"])
