"""Time `polylambda check` on a project of 200 modules: first, again with nothing changed, and with one file changed.

The project is made here, of the shapes that functions have: handlers, services with their repositories, models, tables,
helpers that many modules import. `python benchmarks/check.py --help`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent

from harness.environment import machine
from harness.section import commit, write_section

_FIRST = 5.0  # seconds: what it must stay below
_AGAIN = 1.0
_PER_AREA = 5  # modules: a handler, a service, a repository, models, rules
_SHARED = 10  # modules that all areas import

_HANDLER = """
    from {project}.shared.answers import answer, problem
    from {project}.shared.tracing import traced
    from {project}.area_{n}.models import Order
    from {project}.area_{n}.service import OrderService

    service = OrderService()
    ROUTES = {{}}


    def route(method, path):
        def register(function):
            ROUTES[method, path] = function
            return function

        return register


    @route("GET", "/orders")
    @traced
    def list_orders(event, context):
        return answer(200, [order.shown() for order in service.orders(event["user"])])


    @route("POST", "/orders")
    @traced
    def place_order(event, context):
        order = Order.read(event["body"])
        if not order.is_valid():
            return problem(400, "an order needs an item and a count")
        step_0(order)
        return answer(201, service.place(event["user"], order).shown())


    def lambda_handler(event, context):
        found = ROUTES.get((event["httpMethod"], event["path"]))
        if found is None:
            return problem(404, event["path"])
        try:
            return found(event, context)
        except LookupError as e:
            return problem(404, str(e))
"""
_SERVICE = """
    import logging

    from {project}.area_{n}.repository import Orders
    from {project}.area_{n}.rules import discount, shipping
    from {project}.shared.clock import now
    from {project}.shared.events import publish

    logger = logging.getLogger(__name__)
    LIMITS = {{"free": 3, "paid": 100}}


    class OrderService:
        def __init__(self, repository=None):
            self.repository = repository or Orders()
            self.limits = dict(LIMITS)

        def orders(self, user):
            found = []
            for item in self.repository.of(user):
                if item.user == user:
                    found.append(item)
            return sorted(found, key=lambda order: order.placed)

        def place(self, user, order):
            count = len(self.orders(user))
            if count >= self.limits.get(order.plan, 1):
                raise LookupError(user)
            order.placed = now()
            remember(user)
            order.notes = step_0(order)
            order.price = self._price(order)
            self.repository.put(user, order)
            publish("orders.placed", order.shown())
            logger.info("placed %s", order.item)
            return order

        def _price(self, order):
            total = order.count * order.unit
            for rule in (discount, shipping):
                total = rule(total, order)
            return round(total, 2)
"""
_REPOSITORY = """
    import os

    import boto3

    from {project}.area_{n}.models import Order
    from {project}.shared.retry import retried

    table = os.environ.get("TABLE", "orders-{n}")
    client = boto3.client("dynamodb")


    class Orders:
        @retried(3)
        def of(self, user):
            pages = client.query(TableName=table, KeyConditionExpression="u = :u", ExpressionAttributeValues={{":u": user}})
            return [Order.read(item) for item in pages["Items"]]

        @retried(3)
        def put(self, user, order):
            step_0(order)
            item = {{"user": {{"S": user}}}}
            for name, value in order.shown().items():
                item[name] = {{"S": str(value)}}
            client.put_item(TableName=table, Item=item)
"""
_MODELS = """
    import json
    from dataclasses import dataclass, field


    @dataclass
    class Line:
        item: str
        count: int = 1


    @dataclass
    class Order:
        item: str
        count: int
        unit: float = 1.0
        plan: str = "free"
        user: str = ""
        price: float = 0.0
        placed: float = 0.0
        lines: list[Line] = field(default_factory=list)

        @classmethod
        def read(cls, body):
            found = json.loads(body) if isinstance(body, str) else dict(body)
            order = cls(found["item"], int(found["count"]))
            step_0(order)
            for line in found.get("lines", ()):
                order.lines.append(Line(line["item"], line["count"]))
            return order

        def is_valid(self):
            return bool(self.item) and self.count > 0

        def shown(self):
            return {{"item": self.item, "count": self.count, "price": self.price, "lines": [vars(each) for each in self.lines]}}
"""
_RULES = """
    from {project}.shared.tables import COUNTRIES, RATES

    STEPS = ((10, 0.05), (100, 0.1), (1000, 0.15))


    def discount(total, order):
        step_0(order)
        for count, part in STEPS:
            if order.count >= count:
                total -= total * part
        return total


    def shipping(total, order):
        country = COUNTRIES.get(order.plan, "DE")
        weights = {{line.item: line.count for line in order.lines}}
        weight = sum(weights.values())
        return total + RATES[country] * (1 + weight // 10)
"""
_STEP = """

    def step_{k}(order, seen=None):
        found = list(seen or ())
        names = {{"item": "name", "count": "number"}}
        for key, name in names.items():
            value = getattr(order, key, None)
            if value is None:
                continue
            found.append({{"step": {k}, "name": name, "value": f"{{value}}-{k}"}})
        if len(found) > {k} + 100:
            raise ValueError(f"too much at {k}: {{len(found)}}")
        return step_{next}(order, found)
"""
_LAST_STEP = """

    def step_{k}(order, seen=None):
        return {{each["name"]: each["value"] for each in seen or ()}}
"""
_STEPS = 6
_SHARED_SOURCES = {
    "answers": """
        import json

        HEADERS = {"content-type": "application/json"}


        def answer(status, body):
            return {"statusCode": status, "headers": {**HEADERS}, "body": json.dumps(body)}


        def problem(status, text):
            return answer(status, {"message": text})
    """,
    "tracing": """
        import functools
        import time
        from contextvars import ContextVar

        spans = ContextVar("spans", default=())


        def traced(function):
            @functools.wraps(function)
            def wrapper(event, context):
                began = time.monotonic()
                token = spans.set((*spans.get(), function.__name__))
                try:
                    return function(event, context)
                finally:
                    spans.reset(token)
                    print(function.__name__, time.monotonic() - began)

            return wrapper
    """,
    "clock": "import time\n\n\ndef now():\n    return time.time()\n",
    "retry": """
        import functools


        def retried(times):
            def decorate(function):
                @functools.wraps(function)
                def wrapper(*args, **kwargs):
                    for attempt in range(times):
                        try:
                            return function(*args, **kwargs)
                        except ConnectionError:
                            if attempt + 1 == times:
                                raise
                    return None

                return wrapper

            return decorate
    """,
    "events": """
        import json
        import os

        import boto3

        bus = boto3.client("events")
        SOURCE = os.environ.get("SOURCE", "orders")


        def publish(kind, detail):
            entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail)}
            bus.put_events(Entries=[entry])
    """,
    "tables": """
        COUNTRIES = {"free": "DE", "paid": "FR"}
        RATES = {"DE": 4.5, "FR": 6.0}
    """,
}
_REMEMBERED = """

    last_seen = {}


    def remember(user):
        last_seen["user"] = user
        return last_seen
"""
_FORGOTTEN = """

    def remember(user):
        return {"user": user}
"""


def main() -> None:
    """Make the project, time the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", type=int, default=200, help="how many modules the project has")
    parser.add_argument("--repeat", type=int, default=5, help="how often each is timed; the median counts")
    parser.add_argument("--write", action="store_true", help="put the result into RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        modules, lines = _make(project, arguments.modules)
        first = [_time(project, fresh=True) for _ in range(arguments.repeat)]
        again = [_time(project) for _ in range(arguments.repeat)]
        changed = [_time(project, change=number) for number in range(arguments.repeat)]
    rows = [("first run", first, _FIRST), ("nothing changed", again, _AGAIN), ("one file changed", changed, _FIRST)]
    text = "\n".join(
        [
            (
                f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d}, commit `{commit()}`, `python benchmarks/check.py`; {machine()}; "
                f"CPython {platform.python_version()}; the whole command, on {modules} modules with {lines:,} lines."
            ),
            "",
            "| | seconds, median | range | at most |",
            "| --- | ---: | ---: | ---: |",
            *(_row(*row) for row in rows),
        ]
    )
    print(text)
    if arguments.write:
        write_section("check.py", "`polylambda check` on a project of 200 modules", text)
    sys.exit(1 if any(statistics.median(times) > limit for _, times, limit in rows) else 0)


def _make(project: Path, modules: int) -> tuple[int, int]:
    """Write the project; return how many modules and lines it has."""
    name = "shop"
    sources: dict[str, str] = {f"{name}/__init__.py": "", f"{name}/shared/__init__.py": ""}
    for each, source in _SHARED_SOURCES.items():
        sources[f"{name}/shared/{each}.py"] = dedent(source)
    area = 0
    while len(sources) + _PER_AREA < modules:
        parts = {
            "handler": _HANDLER,
            "service": _SERVICE,
            "repository": _REPOSITORY,
            "models": _MODELS,
            "rules": _RULES,
        }
        for each, source in parts.items():
            extra = (_FORGOTTEN if area % 10 else _REMEMBERED) if each == "service" else ""
            steps = [dedent(_STEP).format(k=step, next=step + 1) for step in range(_STEPS)]
            text = dedent(source).format(project=name, n=area) + dedent(extra)
            sources[f"{name}/area_{area}/{each}.py"] = "".join([text, *steps, dedent(_LAST_STEP).format(k=_STEPS)])
        sources[f"{name}/area_{area}/__init__.py"] = ""
        area += 1
    for path, source in sources.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source.lstrip())
    return len(sources), sum(source.count("\n") for source in sources.values())


def _time(project: Path, *, fresh: bool = False, change: int | None = None) -> float:
    """Return how many seconds the command takes."""
    if fresh:
        shutil.rmtree(project / ".polylambda", ignore_errors=True)
    if change is not None:
        with (project / "shop/shared/answers.py").open("a") as file:
            file.write(f"\nCHANGED = {change}\n")
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("polylambda")), "check", "shop"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode not in (0, 1):
        sys.exit(f"the check failed: {done.stderr}")
    if "LMI101" not in done.stdout:
        sys.exit(f"what is planted was not found: {done.stdout}{done.stderr}")
    return took


def _row(what: str, times: list[float], limit: float) -> str:
    return f"| {what} | {statistics.median(times):.2f} | {min(times):.2f}-{max(times):.2f} | {limit:.0f} |"


if __name__ == "__main__":
    main()
