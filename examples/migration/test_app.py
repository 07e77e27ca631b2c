"""The function before and after: the same answers from AWS's runtime and from polylambda, and then many at a time."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import app
import pytest

from polylambda.testing import RuntimeClient

HERE = Path(__file__).parent
INVOKE = [Path(sys.executable).with_name("polylambda"), "invoke"]
RUNTIMES = {
    "before, as it runs today": [sys.executable, "-m", "awslambdaric", "before.handler"],
    "before, after the first change": [sys.executable, "-m", "polylambda", "before.handler"],
    "after both": [sys.executable, "-m", "polylambda", "app.handler"],
}


def parcel(kilograms: float) -> dict[str, str]:
    return {"body": json.dumps({"kilograms": kilograms})}


def answer(runtime: str, event: object) -> tuple[int, Any]:
    """Run the function once, under a Runtime API; return the exit status and what the caller gets."""
    command = [*INVOKE, "--event", json.dumps(event), "--", *RUNTIMES[runtime]]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_same_answer(runtime: str):
    status, result = answer(runtime, parcel(2))
    assert (status, result["statusCode"]) == (0, 200)
    assert json.loads(result["body"]) == {"carrier": "Slow & Steady", "cents": 435, "currency": "EUR"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_same_error(runtime: str):
    status, error = answer(runtime, {"body": None})
    assert (status, error["errorType"]) == (1, "TypeError")
    assert error["errorMessage"].startswith("the JSON object must be str, bytes or bytearray")


def test_second_change_is_two_lines():
    before, after = ((HERE / name).read_text().splitlines()[1:] for name in ("before.py", "app.py"))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-" and line[2:]]
    assert changed == ["+ from polylambda import concurrency_safe", "+ @concurrency_safe"]


def test_eight_at_a_time_in_one_process(monkeypatch: pytest.MonkeyPatch):
    together = threading.Barrier(8, timeout=20)

    def ask(carrier: str, kilograms: float) -> int:
        together.wait()  # returns when eight invocations are here at the same time
        return round(kilograms)

    monkeypatch.setattr(app, "ask", ask)
    with RuntimeClient(app.handler, concurrency=8) as client, ThreadPoolExecutor(8) as callers:
        results = callers.map(client.invoke, [parcel(number) for number in range(1, 17)])
        prices = [json.loads(result.value["body"])["cents"] for result in results]
    assert prices == list(range(1, 17))
