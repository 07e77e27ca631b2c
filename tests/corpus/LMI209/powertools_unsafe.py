"""Keys that are appended to the logger are in everybody's lines."""
# mode: thread
from aws_lambda_powertools import Logger

import orders

logger = Logger(service="orders")


def handler(event, context):
    logger.append_keys(order=event["order"])  # unsafe: LMI209
    logger.info("placing")
    return orders.place(event["order"])
