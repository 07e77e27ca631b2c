"""Powertools for AWS Lambda writes its own JSON to stdout: it must get through the capture of `print` unchanged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

PROGRAM = """
import os, sys
if os.environ.get("WITH_POLYLAMBDA"):
    from polylambda import logs
    from polylambda.settings import Settings
    logs.setup(Settings())

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="shop", level="DEBUG")
logger.append_keys(order="42")
logger.info("hello", extra={"k": {"nested": [1]}})
logger.debug({"a": "dict"})
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
metrics = Metrics(namespace="shop", service="shop")
metrics.add_metric(name="orders", unit=MetricUnit.Count, value=1)
metrics.flush_metrics()
"""


def run(**variables: str) -> list[bytes]:
    environment = {**os.environ, "AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", **variables}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True, timeout=50)
    times = rb'"(timestamp|Timestamp)": ?("[^"]+"|\d+)'
    return [re.sub(times, rb'"\1":0', line) for line in done.stdout.splitlines()]


def test_lines_of_powertools_are_the_same_with_us():
    with_us, without_us = run(WITH_POLYLAMBDA="1"), run()
    assert len(with_us) == 4
    assert with_us == without_us
    assert json.loads(with_us[0])["order"] == "42"
    assert "_aws" in json.loads(with_us[3])
