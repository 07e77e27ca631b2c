"""Four levels: each finds what the one before cannot, and costs more."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import app
import pytest

from polylambda.testing import HandlerClient, RuntimeClient

ORDER = {"items": {"tea": 3, "milk": 1}}
POLYLAMBDA = Path(sys.executable).with_name("polylambda")
PYTHON = "{}.{}".format(*sys.version_info)

# 1. A function: microseconds. Here belong the rules, with all their cases.


@pytest.mark.parametrize(("count", "paid"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (6, 4)])
def test_three_of_a_kind(count: int, paid: int):
    assert app.total({"salt": count}) == paid * 80


def test_what_is_not_sold():
    with pytest.raises(app.UnknownItem, match="not sold here: coffee, rum"):
        app.total({"tea": 1, "rum": 1, "coffee": 1})


# 2. The handler, called in this process: a millisecond. Types, errors as the caller gets them, logs.


def test_bill(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("SHOP", "Leeds")
    caplog.set_level("INFO")
    result = HandlerClient(app.handler).invoke(ORDER)
    assert result.value == {"cents": 620, "shop": "Leeds"}
    assert result.logs == ["an order of tea, milk"]


def test_refused_before_the_handler_sees_it():
    result = HandlerClient(app.handler).invoke({"items": {"tea": "three"}})
    assert result.error is not None
    assert result.error["errorMessage"] == "event.items.tea: expected int, got str"


# 3. A whole runtime against a Runtime API: some milliseconds more. Sockets, deadlines, and many at a time.


def test_eight_at_a_time():
    orders = [{"items": {"milk": count}} for count in range(64)]
    with RuntimeClient(app.handler, concurrency=8) as client, ThreadPoolExecutor(8) as callers:
        bills = [result.value["cents"] for result in callers.map(client.invoke, orders)]
    assert bills == [app.total(order["items"]) for order in orders]


# 4. The package, as Lambda would run it: seconds. What is not in it is missing here, and not on AWS.


def test_package(tmp_path: Path):
    environment = tmp_path / "variables"
    environment.write_text("SHOP=Leeds\n")
    command = [POLYLAMBDA, "package", "--check", "--python", PYTHON]
    options = ["--event", json.dumps(ORDER), "--env-file", environment]
    done = subprocess.run([*command, *options], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"cents": 620, "shop": "Leeds"}


def test_package_without_its_data():
    command = [POLYLAMBDA, "package", "--check", "--python", PYTHON, "--exclude", "prices.csv"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "No such file or directory" in done.stderr
