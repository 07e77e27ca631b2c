"""Facts about code that is not the user's: looked up by name, consistent with the rules, and named in libraries that exist."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import string
import sys
from pathlib import Path
from typing import Any

import pytest

from polylambda.check.catalogue import RULES
from polylambda.check.facts import Effect, canonical, facts_of, given_by
from polylambda.check.facts.themes import ALIASES, FACTS, GIVES
from polylambda.check.finding import Mode
from polylambda.check.static import StaticOptions, check


def rules_of(name: str) -> list[str]:
    return [fact.rule for fact in facts_of(name)]


def test_names_below_others():
    assert rules_of("botocore.client.BaseClient.put_object") == ["LMI301"]
    assert rules_of("botocore.client.BaseClient.download_file") == ["LMI201", "LMI301"]
    assert rules_of("botocore.client.BaseClient.generate_presigned_url") == []
    assert rules_of("botocore.client.BaseClient.exceptions.ClientError") == []


def test_what_is_not_known_is_harmless():
    assert facts_of("mine.module.function") == ()
    assert facts_of("json.dumps") == ()
    assert given_by("mine.Class") is None


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("boto3.client", "botocore.client.BaseClient"),
        ("boto3.Session", "boto3.session.Session"),
        ("boto3.Session.client", "botocore.client.BaseClient"),
        ("sqlite3.connect", "sqlite3.Connection"),
        ("sqlite3.Connection.cursor", "sqlite3.Cursor"),
        ("threading.Lock", "threading.Lock"),
        ("redis.from_url", "redis.Redis"),
        ("pymysql.connect", "pymysql.Connection"),
        ("sqlalchemy.orm.sessionmaker.__call__", "sqlalchemy.orm.Session"),
    ],
)
def test_what_a_call_gives(call: str, given: str):
    assert given_by(call) == given


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("redis.client.StrictRedis.get", "redis.Redis.get"),
        ("mypy_boto3_s3.client.S3Client", "botocore.client.BaseClient"),
        ("types_boto3_dynamodb.DynamoDBClient.get_item", "botocore.client.BaseClient.get_item"),
        ("mypy_boto3_dynamodb.service_resource.DynamoDBServiceResource", "boto3.resources.base.ServiceResource"),
        ("types_aiobotocore_s3.client.S3Client", "aiobotocore.client.AioBaseClient"),
        ("time.sleep", "time.sleep"),
    ],
)
def test_one_name_for_a_thing_with_several(other: str, name: str):
    assert canonical(other) == name


def test_of_a_call_is_told_what_it_gives():
    assert rules_of("boto3.resource") == ["LMI402", "LMI403"]
    assert rules_of("psycopg.connect") == ["LMI301", "LMI404"]
    [shared] = [fact for fact in facts_of("sqlite3.Connection.execute") if fact.effect is Effect.UNSHAREABLE]
    assert shared.message.startswith("one sqlite3.Cursor for all")


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("time.sleep", {Mode.TASK}),
        ("os.chdir", {Mode.TASK, Mode.THREAD}),
        ("builtins.open", {Mode.TASK, Mode.THREAD, Mode.PROCESS}),  # processes have one file system
        ("asyncio.Lock", {Mode.THREAD, Mode.PROCESS}),  # one loop, one lock: fine
        ("asyncio.new_event_loop", {Mode.THREAD}),
        ("httpx.AsyncClient", set(Mode)),  # in tasks: made per invocation
        ("requests.Session", {Mode.TASK, Mode.THREAD}),  # in tasks: made per invocation; in threads: shared
    ],
)
def test_modes(name: str, modes: set[Mode]):
    assert {mode for fact in facts_of(name) for mode in fact.modes} == modes


def test_thread_safety_of_aws():
    assert Effect.UNSHAREABLE not in {fact.effect for fact in facts_of("boto3.client")}
    for name in ("boto3.resource", "boto3.Session"):
        [fact] = [fact for fact in facts_of(name) if fact.effect is Effect.UNSHAREABLE]
        assert fact.modes == (Mode.THREAD,)


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("aws_lambda_powertools.utilities.batch.BatchProcessor", (Mode.THREAD,)),
        ("aws_lambda_powertools.utilities.batch.base.AsyncBatchProcessor", (Mode.THREAD,)),
        ("aws_lambda_powertools.metrics.Metrics", (Mode.TASK, Mode.THREAD)),
        ("aws_lambda_powertools.metrics.EphemeralMetrics", (Mode.TASK, Mode.THREAD)),
    ],
)
def test_what_powertools_keeps_is_for_one_invocation(name: str, modes: tuple[Mode, ...]):
    [fact] = facts_of(name)
    assert (fact.effect, fact.rule, fact.modes) == (Effect.UNSHAREABLE, "LMI403", modes)
    assert given_by(name) == canonical(name)


_POWERTOOLS = """\
from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import EphemeralMetrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

processor = BatchProcessor(event_type=EventType.SQS)
metrics = Metrics(namespace="orders")


def record(each):
    return each.body


def batch(event, context):
    return process_partial_response(event=event, record_handler=record, processor=processor, context=context)


@metrics.log_metrics
def handler(event, context):
    metrics.add_dimension(name="tenant", value=event["tenant"])


def safe(event, context):
    with single_metric(name="order", unit="Count", value=1, namespace="orders") as metric:
        metric.add_dimension(name="tenant", value=event["tenant"])
    own = EphemeralMetrics(namespace="orders")
    own.add_metric(name="order", unit="Count", value=1)
    own.flush_metrics()
    mine = BatchProcessor(event_type=EventType.SQS)
    return process_partial_response(event=event, record_handler=record, processor=mine, context=context)
"""


@pytest.mark.parametrize(("handler", "lines"), [("batch", [5]), ("handler", [6]), ("safe", [])])
def test_what_powertools_keeps_is_found_where_it_is_made(tmp_path: Path, handler: str, lines: list[int]):
    (tmp_path / "app.py").write_text(_POWERTOOLS)
    checked = check(StaticOptions((f"app.{handler}",), tmp_path))
    assert [(each.rule, each.line) for each in checked.findings] == [("LMI403", line) for line in lines]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sys.stdout=", "sys.stdout is replaced for all invocations"),
        ("os.environ.__setitem__", "os.environ[...] = ... changes the environment of the process"),
        ("os.environ.__delitem__", "del os.environ[...] changes the environment of the process"),
        ("sys.path.__iadd__", "sys.path += ... is changed for the whole interpreter"),
        ("decimal.Context.prec=", "the prec of the decimal context changes for whoever runs next"),
        ("logging.Logger.handlers.append", "Logger.handlers.append() reconfigures logging for all invocations"),
    ],
)
def test_more_than_calls(name: str, message: str):
    [fact] = facts_of(name)
    assert (fact.effect, fact.message) == (Effect.PROCESS_WIDE, message)


def test_paths():
    [written] = [fact for fact in facts_of("builtins.open") if fact.effect is Effect.WRITES_PATH]
    assert (written.arguments[0], written.mode) == (0, (1, "mode"))
    [written] = [
        fact for fact in facts_of("botocore.client.BaseClient.download_file") if fact.effect is Effect.WRITES_PATH
    ]
    assert written.arguments == (2, "Filename")


def test_every_fact_is_of_a_rule_and_of_its_modes():
    for name, facts in FACTS.items():
        for fact in facts:
            assert fact.rule in RULES, name
            assert set(fact.modes) <= set(RULES[fact.rule].why), (name, fact.rule)


def test_every_fact_can_be_told():
    for name, facts in FACTS.items():
        told = facts_of(name.replace(".*", ".method"))
        for fact in (*facts, *told):
            assert fact.message
            assert fact.instead
            assert "\n" not in fact.message + fact.instead
        assert not any(field for fact in told for _, field, _, _ in string.Formatter().parse(fact.message) if field), (
            name
        )


def test_tables_agree():
    for alias, name in ALIASES.items():
        assert canonical(name) == name, f"{alias} stands for {name}, which stands for something else"
        assert alias not in FACTS, f"{alias} is found as {name} only"
        assert alias not in GIVES, f"{alias} is found as {name} only"
    for name, given in GIVES.items():
        assert canonical(given) == given, f"{name} gives {given}, which has another name"


_CHECKED = {
    *sys.stdlib_module_names,
    *("requests", "urllib3", "httpx", "boto3", "botocore", "asyncpg", "aws_lambda_powertools", "asgiref"),
}
# What only instances have, what is the type in our tables and a function in the library, and what newer Pythons have.
_NOT_THERE = (
    *("boto3.resources.base.ServiceResource.", "botocore.client.BaseClient."),
    *("decimal.Context.", "logging.Logger.", "select.poll.", "sys.tracebacklimit"),
    *(
        "multiprocessing.Lock.",
        "multiprocessing.Pool.",
        "multiprocessing.Queue.",
        "threading.Lock.",
        "threading.RLock.",
    ),
    *("threading.Condition.", "threading.setprofile_all_threads", "threading.settrace_all_threads", "compression.zstd"),
    *("crypt.crypt", "asyncio.set_child_watcher"),  # gone in 3.13 and 3.14
)


def test_libraries_have_these_names():
    here = {library for library in _CHECKED if importlib.util.find_spec(library) is not None}
    if sys.platform != "linux":  # which has the most of these
        here -= {"os", "resource", "select", "signal"}
    if "boto3" not in here:  # without which some of its modules cannot be imported
        here.discard("aws_lambda_powertools")
    names = {name for name in (*FACTS, *GIVES) if name.partition(".")[0] in here and not name.startswith(_NOT_THERE)}
    assert len(names) > 400
    assert [name for name in sorted(names) if not exists(name)] == []


def exists(name: str) -> bool:
    parts = name.rstrip("=").removesuffix(".*").split(".")
    found: Any = None
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            if inspect.isclass(found) and part.startswith("__"):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
