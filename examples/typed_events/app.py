"""Three kinds of events, each checked before its handler sees it: by the models of Powertools, and by one of our own."""

from __future__ import annotations

from aws_lambda_powertools.utilities.parser.models import DynamoDBStreamModel, EventBridgeModel, SqsModel
from pydantic import BaseModel, Field, ValidationError

from polylambda import LambdaContext

Failures = dict[str, list[dict[str, str]]]


class Order(BaseModel):
    id: str
    item: str
    count: int = Field(gt=0)


class OrderPlaced(EventBridgeModel):
    detail: Order


async def queue(event: SqsModel, context: LambdaContext) -> Failures:
    """Take the messages of a batch; SQS sends those again that are named in the result, and only those."""
    failures: list[dict[str, str]] = []
    for record in event.Records:
        try:
            order = Order.model_validate_json(record.body)
        except ValidationError as error:
            print(f"message {record.messageId}: {error.errors()[0]['msg']}")
            failures.append({"itemIdentifier": record.messageId})
        else:
            print(f"order {order.id}: {order.count} x {order.item}")
    return {"batchItemFailures": failures}


async def bus(event: OrderPlaced, context: LambdaContext) -> dict[str, str]:
    """Take one event of EventBridge; one whose detail is no order never gets here."""
    return {"order": event.detail.id, "from": event.source}


async def stream(event: DynamoDBStreamModel, context: LambdaContext) -> Failures:
    """Follow a table. Its changes are in order: after the first that fails, Lambda sends all from there on again."""
    for record in event.Records:
        image = record.dynamodb.NewImage
        if record.eventName == "REMOVE" or image is None:
            print(f"order {record.dynamodb.Keys['id']} is gone")
            continue
        try:
            order = Order.model_validate(image)
        except ValidationError as error:
            print(f"change {record.dynamodb.SequenceNumber}: {error.errors()[0]['msg']}")
            return {"batchItemFailures": [{"itemIdentifier": record.dynamodb.SequenceNumber}]}
        print(f"order {order.id} has {order.count} x {order.item}")
    return {"batchItemFailures": []}
