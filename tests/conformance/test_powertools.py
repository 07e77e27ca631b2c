"""Powertools for AWS Lambda as people use it, unmodified, on our runtime and on our context."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import event_parser

from polylambda import ValidationError
from polylambda.testing import HandlerClient, make_context
from tests.environment import PATIENCE, Environment

SampleEvent = Callable[..., Any]

LOGGER = """
from aws_lambda_powertools import Logger

logger = Logger(service="shop", level="INFO")

@logger.inject_lambda_context(log_event=True, correlation_id_path="order")
def handler(event, context):
    logger.info("sold")
    return logger.get_correlation_id()
"""


def test_logger(tmp_path: Path) -> None:
    with (
        Environment(log_format="JSON", memory_size=512) as environment,
        environment.program(tmp_path, LOGGER) as program,
    ):
        answers = [environment.invoke(json.dumps({"order": order}).encode()) for order in ("1", "2")]
        program.expect('"2"')
        program.expect('"sold"')

    assert [answer.json for answer in answers] == ["1", "2"]
    # A record of ours has `requestId`: that none has shows that they were written as Powertools wrote them.
    records = [json.loads(line) for line in program.lines]
    assert [record["message"] for record in records] == [{"order": "1"}, "sold", {"order": "2"}, "sold"]
    assert not any("requestId" in record for record in records)
    for record, answer in zip(records, [answers[0], answers[0], answers[1], answers[1]], strict=True):
        assert record["level"] == "INFO"
        assert record["function_request_id"] == answer.request_id
        assert record["function_name"] == environment.function.name
        assert record["function_memory_size"] == "512"
        assert record["function_arn"] == environment.function.arn
        assert record["correlation_id"] == answer.json
        assert record["xray_trace_id"]
    assert [record["cold_start"] for record in records if record["message"] == "sold"] == [True, False]


TRACER = """
from aws_lambda_powertools import Tracer

tracer = Tracer(service="shop")

@tracer.capture_method
def sell(order):
    tracer.put_annotation("order", order)
    return order

@tracer.capture_lambda_handler
def handler(event, context):
    return sell(event["order"])
"""


def test_tracer_without_a_network(tmp_path: Path) -> None:
    trace_ids = [f"1-6745e2b0-{number:024x}" for number in (1, 2)]
    # The X-Ray SDK sends what it traced to a daemon by UDP; here that is the test.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(PATIENCE)
        variables = {
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            "LAMBDA_TASK_ROOT": str(tmp_path),  # by this the SDK and Powertools know that they are in Lambda
        }
        with Environment() as environment, environment.program(tmp_path, TRACER, **variables):
            for order, trace_id in enumerate(trace_ids):
                header = f"Root={trace_id};Parent=53995c3f42cd8ad8;Sampled=1"
                assert environment.invoke(json.dumps({"order": order}).encode(), trace_id=header).json == order
        segments = [_segment(daemon.recv(65536)) for _ in range(4)]  # two an invocation, the inner one first or inside

    assert {segment["trace_id"] for segment in segments} == set(trace_ids)
    assert {segment["name"] for segment in segments} == {"## app.sell", "## handler"}
    for segment in segments:
        if segment["name"] == "## app.sell":
            assert segment["annotations"]["order"] == trace_ids.index(segment["trace_id"])


def _segment(datagram: bytes) -> Any:
    """What is behind the daemon protocol's header line."""
    return json.loads(datagram.partition(b"\n")[2])


class Order(pydantic.BaseModel):
    id: int
    item: str = pydantic.Field(min_length=3)


ORDER = {"id": 7, "item": "tea"}


@event_parser(model=Order)
def parsed(event: Order, context: Any) -> dict[str, Any]:
    return {"seen": [type(event).__name__, event.id, event.item], "request_id": context.aws_request_id}


def typed(event: Order, context: Any) -> dict[str, Any]:
    return {"seen": [type(event).__name__, event.id, event.item], "request_id": context.aws_request_id}


@pytest.mark.parametrize("handler", [parsed, typed], ids=["Powertools", "ours"])
def test_parser_and_our_own_typed_event(handler: Callable[..., Any]) -> None:
    client = HandlerClient(handler)
    context = make_context()

    assert client.invoke(ORDER, context=context).value == {
        "seen": ["Order", 7, "tea"],
        "request_id": context.aws_request_id,
    }
    refused = client.invoke({"id": 7, "item": ""})
    assert refused.error is not None
    assert refused.error["errorType"] == "ValidationError"
    assert "item" in refused.error["errorMessage"]
    # Each in its own way: Powertools raises pydantic's error, we raise ours.
    assert isinstance(refused.exception, pydantic.ValidationError if handler is parsed else ValidationError)


def test_event_handler(sample_event: SampleEvent) -> None:
    app = APIGatewayHttpResolver()

    @app.post("/orders/<number>")
    def place(number: str) -> tuple[dict[str, Any], int]:
        event, context = app.current_event, app.lambda_context
        return {"number": number, "body": event.json_body, "request_id": context.aws_request_id}, 201

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return app.resolve(event, context)

    event = sample_event("apigateway", "http-api-proxy", path="orders/1007", method="POST", body='{"item": "tea"}')
    event["requestContext"]["http"]["path"] = event["rawPath"] = "/orders/1007"
    context = make_context()
    placed = HandlerClient(handler).invoke(event, context=context).http
    elsewhere = HandlerClient(handler).invoke({**event, "rawPath": "/tea"}).http

    assert (placed.status, placed.headers["content-type"]) == (201, "application/json")
    assert placed.value == {"number": "1007", "body": {"item": "tea"}, "request_id": context.aws_request_id}
    assert elsewhere.status == 404


def test_batch(sample_event: SampleEvent) -> None:
    processor = BatchProcessor(event_type=EventType.SQS)
    seen: list[Any] = []

    def sell(record: SQSRecord, lambda_context: Any) -> None:
        seen.append((record.json_body["order"], lambda_context.aws_request_id))
        if record.json_body["order"] == 2:
            raise ValueError("sold out")

    def handler(event: dict[str, Any], context: Any) -> Any:
        return process_partial_response(event=event, record_handler=sell, processor=processor, context=context)

    bodies = [json.dumps({"order": order}) for order in (1, 2, 3)]
    messages = [sample_event("sqs", "receive-message", body=body)["Records"][0] for body in bodies]
    for message in messages:
        message["messageId"] = str(uuid.uuid4())
    context = make_context()
    result = HandlerClient(handler).invoke({"Records": messages}, context=context)

    assert result.value == {"batchItemFailures": [{"itemIdentifier": messages[1]["messageId"]}]}
    assert seen == [(order, context.aws_request_id) for order in (1, 2, 3)]
