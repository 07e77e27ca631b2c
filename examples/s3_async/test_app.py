from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import app
import bucket
import pytest

from polylambda.testing import HandlerClient, RuntimeClient


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with bucket.running() as variables:
        yield variables


@pytest.fixture(autouse=True)
def environment(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_counts_a_folder():
    with HandlerClient(app.runtime) as client:
        counted = client.invoke({"bucket": bucket.BUCKET, "prefix": "orders/"}).value
        everything = client.invoke({"bucket": bucket.BUCKET}).value
        nothing = client.invoke({"bucket": bucket.BUCKET, "prefix": "none/"}).value
    assert counted == {"objects": 2, "bytes": 20, "lines": 3}
    assert everything["objects"] == len(bucket.OBJECTS)
    assert nothing == {"objects": 0, "bytes": 0, "lines": 0}


def test_bucket_that_is_not_there():
    with HandlerClient(app.runtime) as client:
        error = client.invoke({"bucket": "none"}).error
    assert error is not None
    assert error["errorType"] == "NoSuchBucket"


def test_many_invocations_share_the_client():
    event = {"bucket": bucket.BUCKET, "prefix": "orders/"}
    with RuntimeClient(app.runtime, concurrency=8) as client, ThreadPoolExecutor(8) as callers:
        answers = [result.value for result in callers.map(client.invoke, [event] * 32)]
    assert answers == [{"objects": 2, "bytes": 20, "lines": 3}] * 32
