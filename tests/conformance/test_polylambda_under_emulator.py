"""polylambda under AWS's emulator, in both of its modes, and beside awslambdaric where that has something to say."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.emulator import Answer, Emulator, EmulatorFailed

EXAMPLES = Path(__file__).parents[2] / "examples"
CLASSIC, MANAGED = None, 1
Run = Callable[..., Emulator]

both_modes = pytest.mark.parametrize("slots", [CLASSIC, MANAGED], ids=["classic", "managed"])
pipelined_or_not = pytest.mark.parametrize("pipelining", ["1", "0"], ids=["pipelined", "not pipelined"])


@pytest.fixture
def run(function_python: str, polylambda_path: str) -> Run:
    """Make an emulator with polylambda and app.py in it: `with run(source, max_concurrency=MANAGED) as emulator:`."""

    def run(source: str, name: str = "app.handler", *, max_concurrency: int | None, **variables: str) -> Emulator:
        env = {"PYTHONPATH": polylambda_path, **variables}
        command = [function_python, "-m", "polylambda", name]
        return Emulator(command, max_concurrency=max_concurrency, env=env, files={"app.py": source})

    return run


# Handlers

SHAPES = {
    "def": "def handler(event, context): return {'hello': event['name']}",
    "async def": "async def handler(event, context): return {'hello': event['name']}",
    "typed": """
import dataclasses

@dataclasses.dataclass
class Person:
    name: str

@dataclasses.dataclass
class Greeting:
    hello: str

def handler(event: Person, context) -> Greeting:
    return Greeting(event.name)
""",
    "object": """
class Greeter:
    async def handle(self, event, context):
        return {"hello": event["name"]}

handler = Greeter()
""",
    "runtime": """
import polylambda

def greet(payload, response, context, call_next):
    call_next(payload, response, context)
    response.body = response.body.replace(b"goodbye", b"hello")

handler = polylambda.LambdaRuntime(lambda event, context: {"goodbye": event["name"]}, middleware=[greet])
""",
}


@both_modes
@pytest.mark.parametrize("shape", SHAPES)
def test_a_result(run: Run, shape: str, slots: int | None) -> None:
    with run(SHAPES[shape], max_concurrency=slots) as emulator:
        answers = [emulator.invoke({"name": name}) for name in ("Ada", "Bob")]

    assert [(answer.status, answer.json()) for answer in answers] == [(200, {"hello": "Ada"}), (200, {"hello": "Bob"})]
    if slots is MANAGED:
        assert answers[0].headers["content-type"] == "application/json"


STREAMS = {
    "def": "def handler(event, context): yield from (b'one,', 'two,', b'', b'three')",
    "async def": """
async def handler(event, context):
    for piece in (b"one,", "two,", b"", b"three"):
        yield piece
""",
    "ResponseStream": """
from polylambda import ResponseStream

def handler(event, response: ResponseStream, context):
    response.write("one,two,")
    response.finish("three")
""",
}


@both_modes
@pytest.mark.parametrize("shape", STREAMS)
def test_a_stream_is_put_together_by_the_emulator(run: Run, shape: str, slots: int | None) -> None:
    with run(STREAMS[shape], max_concurrency=slots) as emulator:
        answers = [emulator.invoke({}) for _ in range(2)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"one,two,three")] * 2
    if slots is MANAGED:
        assert answers[0].headers["content-type"] == "application/octet-stream"
        assert answers[0].headers["lambda-runtime-function-response-mode"] == "streaming"


TYPED = """
from typing import TypedDict

class Order(TypedDict):
    item: str
    counts: list[int]

def handler(event: Order, context):
    return sum(event["counts"])
"""


@both_modes
def test_an_event_of_the_wrong_type_is_refused_by_the_name_of_the_field(run: Run, slots: int | None) -> None:
    with run(TYPED, max_concurrency=slots) as emulator:
        refused = emulator.invoke({"item": "tea", "counts": [1, "two"]})
        answer = emulator.invoke({"item": "tea", "counts": [1, 2]})

    assert refused.json()["errorType"] == "ValidationError"
    assert "counts[1]" in refused.json()["errorMessage"]
    assert slots is CLASSIC or refused.error_type == "Function.ValidationError"
    assert answer.json() == 3


WRITERS = {
    "def": """
import os
from polylambda import ResponseWriter

def handler(event, response: ResponseWriter, context):
    response.write(event)
    with open(os.environ["GATE"]) as gate:
        print("the test wrote", gate.read())
""",
    "async def": """
import asyncio, os
from pathlib import Path
from polylambda import ResponseWriter

async def handler(event, response: ResponseWriter, context):
    await response.write(event)
    print("the test wrote", await asyncio.to_thread(Path(os.environ["GATE"]).read_text))
""",
}


@pytest.fixture
def gate() -> Iterator[Path]:
    """A named pipe that the function can open for reading; both sides wait for each other."""
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder, "gate")
        os.mkfifo(gate)
        for path in (Path(folder), gate):
            path.chmod(0o755)
        yield gate


@both_modes
@pytest.mark.parametrize("shape", WRITERS)
def test_work_goes_on_after_the_answer(run: Run, gate: Path, shape: str, slots: int | None) -> None:
    with (
        run(WRITERS[shape], max_concurrency=slots, GATE=str(gate)) as emulator,
        ThreadPoolExecutor(1) as caller,
    ):
        for number in (1, 2):
            answer = caller.submit(emulator.invoke, {"number": number})
            if slots is MANAGED:  # the classic mode keeps the answer back until the next poll
                assert answer.result().json() == {"number": number}
            gate.write_text(f"number {number}")  # opens when the handler does
            assert answer.result().json() == {"number": number}
            emulator.wait_for_log(f"the test wrote number {number}")


# Limits and the wire

LARGE = "def handler(event, context): return 'x' * event"


@both_modes
@pipelined_or_not
def test_a_result_that_is_too_large(run: Run, slots: int | None, pipelining: str) -> None:
    with run(LARGE, max_concurrency=slots, POLYLAMBDA_PIPELINING=pipelining) as emulator:
        answers = [emulator.invoke(size) for size in (1, 7 << 20, 2, 7 << 20, 3)]
        emulator.wait_for_log("was refused: 413", count=2)

    assert [answer.json() for answer in answers[::2]] == ["x", "xx", "xxx"]
    for answer in answers[1::2]:
        assert answer.json()["errorType"] == "Function.ResponseSizeTooLarge"
        assert slots is CLASSIC or answer.error_type == "Function.ResponseSizeTooLarge"


COUNT = """
import os

seen = []

{} handler(event, context):
    seen.append(event)
    if event % 10 == 9:
        raise ValueError(event)
    return [event, len(seen), os.getpid()]
"""


@both_modes
@pytest.mark.parametrize("define", ["def", "async def"])
@pytest.mark.parametrize(("count", "pipelining"), [(200, "1"), (40, "0")], ids=["pipelined", "not pipelined"])
def test_many_invocations_in_one_environment(
    run: Run, define: str, slots: int | None, count: int, pipelining: str
) -> None:
    with run(COUNT.format(define), max_concurrency=slots, POLYLAMBDA_PIPELINING=pipelining) as emulator:
        answers = [emulator.invoke(number).json() for number in range(count)]

    pid = answers[0][2]
    for number, answer in enumerate(answers):
        if number % 10 == 9:
            assert answer["errorMessage"] == str(number)
        else:
            assert answer == [number, number + 1, pid]


# Names and failures of the start


@both_modes
def test_the_handler_is_named_by_the_environment_and_a_path(
    function_python: str, polylambda_path: str, slots: int | None
) -> None:
    # The managed-instances mode would empty a `_HANDLER` that it is given.
    command = ["env", "_HANDLER=orders/app.handler", function_python, "-m", "polylambda"]
    env = {"PYTHONPATH": polylambda_path}
    files = {"orders/app.py": "def handler(event, context): return __name__"}
    with Emulator(command, max_concurrency=slots, env=env, files=files) as emulator:
        assert emulator.invoke({}).json() == "orders.app"


FAILURES = {
    "import": ("app.handler", "import nowhere", "Runtime.ImportModuleError"),
    "no module": ("nowhere.handler", "", "Runtime.ImportModuleError"),
    "syntax": ("app.handler", "def handler(:\n", "Runtime.UserCodeSyntaxError"),
    "no handler": ("app.nothing", "", "Runtime.HandlerNotFound"),
    "name": ("handler", "", "Runtime.MalformedHandlerName"),
    "exception": ("app.handler", "raise KeyError('TABLE')", "Function.KeyError"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_function_that_cannot_start(run: Run, failure: str) -> None:
    name, source, error_type = FAILURES[failure]
    with run(source, name, max_concurrency=CLASSIC) as emulator:
        answer = emulator.invoke({})
    with pytest.raises(EmulatorFailed) as managed, run(source, name, max_concurrency=MANAGED):
        pass

    assert (answer.status, answer.json()["errorType"]) == (502, error_type.removeprefix("Function."))
    assert f'msg="INIT failed" err={error_type}\n' in str(managed.value)


# The end

LIFESPANS = {
    "def": """
import contextlib
from polylambda import LambdaRuntime

@contextlib.contextmanager
def lifespan():
    yield "state"
    print("the lifespan was left")

handler = LambdaRuntime(lambda event, context: context.state, lifespan=lifespan)
""",
    "async def": """
import asyncio, contextlib
from polylambda import LambdaRuntime

@contextlib.asynccontextmanager
async def lifespan():
    yield "state"
    await asyncio.sleep(0)
    print("the lifespan was left")

async def serve(event, context):
    return context.state

handler = LambdaRuntime(serve, lifespan=lifespan)
""",
}


@both_modes
@pytest.mark.parametrize("shape", LIFESPANS)
def test_the_lifespan_is_left_when_the_environment_ends(run: Run, shape: str, slots: int | None) -> None:
    with run(LIFESPANS[shape], max_concurrency=slots) as emulator:
        assert emulator.invoke({}).json() == "state"
        assert "the lifespan was left" not in emulator.logs
        emulator.stop()
        assert "the lifespan was left" in emulator.logs


@pytest.mark.parametrize("shape", LIFESPANS)
def test_without_an_extension_the_environment_ends_unannounced(run: Run, shape: str) -> None:
    with run(LIFESPANS[shape], max_concurrency=MANAGED, POLYLAMBDA_REGISTER_EXTENSION="0") as emulator:
        assert emulator.invoke({}).json() == "state"
        emulator.stop()
        assert "the lifespan was left" not in emulator.logs


# Logs

LOGS = """
import logging

{} handler(event, context):
    logging.warning("warned")
    print("printed")
    if event:
        raise ValueError("no luck")
    return context.aws_request_id
"""


@both_modes
@pytest.mark.parametrize("define", ["def", "async def"])
def test_lines_of_json_say_whose_they_are(run: Run, define: str, slots: int | None) -> None:
    with run(LOGS.format(define), max_concurrency=slots, AWS_LAMBDA_LOG_FORMAT="JSON") as emulator:
        first = emulator.invoke(0).json()
        second = emulator.invoke(1).json()
        emulator.wait_for_log('"no luck"')

    records = [json.loads(line) for line in emulator.function_logs if line]
    told = [(record.get("message") or record["errorType"], record["level"], record["requestId"]) for record in records]
    assert told == [
        ("warned", "WARNING", first),
        ("printed", "INFO", first),
        ("warned", "WARNING", second["requestId"]),
        ("printed", "INFO", second["requestId"]),
        ("ValueError", "ERROR", second["requestId"]),
    ]
    assert first != second["requestId"]


@both_modes
def test_lines_of_text_say_whose_they_are(run: Run, slots: int | None) -> None:
    with run(LOGS.format("def"), max_concurrency=slots, AWS_LAMBDA_LOG_FORMAT="Text") as emulator:
        ids = [emulator.invoke(0).json(), emulator.invoke(0).json()]
        emulator.wait_for_log("^printed", count=2)

    assert len(set(ids)) == 2
    lines = [line.split("\t") for line in emulator.function_logs if line]
    warned, printed = [line for line in lines if len(line) > 1], [line for line in lines if len(line) == 1]
    assert [(level, request_id, message) for level, _, request_id, message in warned] == [
        ("[WARNING]", request_id, "warned") for request_id in ids
    ]
    assert printed == [["printed"], ["printed"]]


# Beside awslambdaric

SAME = """
import collections, datetime, decimal, enum

Pair = collections.namedtuple("Pair", "left right")

class OutOfStock(Exception):
    pass

class Colour(enum.IntEnum):
    RED = 1

def fail(error):
    raise error

def chained():
    try:
        {}["key"]
    except KeyError as error:
        raise OutOfStock("tea") from error

circle = []
circle.append(circle)

RESULTS = {
    "None": lambda: None,
    "nested": lambda: {"a": [1, -2.5, True, None, {"b": "c"}], "": ()},
    "text": lambda: "tab\\t quote\\" nul\\0 é 🐍 \\u2028",
    "bytes": lambda: b"\\x00\\xff",
    "Decimal": lambda: [decimal.Decimal("1.10"), decimal.Decimal(3), decimal.Decimal("1E+2")],
    "NaN": lambda: [float("nan"), float("inf"), -float("inf")],
    "namedtuple": lambda: Pair(1, "two"),
    "keys": lambda: {1: "int", None: "None", True: "bool", 1.5: "float"},
    "enumeration": lambda: Colour.RED,
    "large number": lambda: 10**30,
    "set": lambda: {1},
    "date": lambda: datetime.date(2026, 1, 2),
    "object": lambda: object(),
    "circle": lambda: circle,
    "tuple as key": lambda: {(1, 2): 3},
    "ValueError": lambda: fail(ValueError("no luck")),
    "own error": lambda: fail(OutOfStock("tea", 3)),
    "silent error": lambda: fail(OutOfStock()),
    "KeyError": lambda: {}["key"],
    "odd message": lambda: fail(ValueError("new\\nline \\t \\0 \\" \\\\ é 🐍")),
    "chained": chained,
}

def handler(event, context):
    if isinstance(event, bytes):
        return [type(event).__name__, event.decode()]
    return RESULTS[event]() if event in RESULTS else event
"""

RESULTS = [line.split('"')[1] for line in SAME.splitlines() if line.startswith('    "')]
PAYLOADS = {
    "not JSON": b"{",
    "no UTF-8": b'"\xff"',
    "NaN in the event": b"[NaN, 1e400]",
    "large integer": b"123456789012345678901234567890",
    "surrogate": b'"\\ud800"',
    "escapes": b'"\\u00e9\\ud83d\\udc0d"',
}
CONTENT_TYPES = ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]


@pytest.fixture(scope="module")
def both_runtimes(function_python: str, polylambda_path: str) -> Callable[[int | None], list[dict[str, Answer]]]:
    """The answers to every case, by polylambda and by awslambdaric; one emulator after the other."""

    def answers(module: str, slots: int | None) -> dict[str, Answer]:
        command = [function_python, "-m", module, "app.handler"]
        env = {"PYTHONPATH": polylambda_path}
        with Emulator(command, max_concurrency=slots, env=env, files={"app.py": SAME}) as emulator:
            return {
                **{name: emulator.invoke(name) for name in RESULTS},
                **{name: emulator.invoke(payload) for name, payload in PAYLOADS.items()},
                **{kind: emulator.invoke(b"3", content_type=kind) for kind in CONTENT_TYPES},
            }

    @functools.cache
    def both(slots: int | None) -> list[dict[str, Answer]]:
        return [answers(module, slots) for module in ("polylambda", "awslambdaric")]

    return both


@both_modes
@pytest.mark.parametrize("case", [*RESULTS, *PAYLOADS, *CONTENT_TYPES])
def test_awslambdaric_answers_the_same(
    both_runtimes: Callable[[int | None], list[dict[str, Answer]]], case: str, slots: int | None
) -> None:
    ours, theirs = (answers[case] for answers in both_runtimes(slots))

    assert ours.status == theirs.status == 200
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    value = _value(ours)
    assert value == _value(theirs)
    if slots is MANAGED and isinstance(value, dict) and "errorType" in value:
        assert ours.error_type in (value["errorType"], "Function." + value["errorType"])
        assert theirs.error_type == "Runtime.Unknown"  # awslambdaric tells the platform no type
    else:
        assert ours.error_type is theirs.error_type is None


@both_modes
def test_the_cases_are_what_they_are_called(
    both_runtimes: Callable[[int | None], list[dict[str, Answer]]], slots: int | None
) -> None:
    ours, _ = both_runtimes(slots)

    assert ours["bytes"].body == b"\x00\xff"
    assert ours["None"].body == b"null"
    assert ours["namedtuple"].json() == {"left": 1, "right": "two"}
    assert ours["set"].json()["errorType"] == "Runtime.MarshalError"
    assert ours["not JSON"].json()["errorType"] == "Runtime.UnmarshalError"
    assert ours["own error"].json()["errorType"] == "OutOfStock"
    # The classic mode calls every event JSON.
    assert ours["text/plain"].json() == (3 if slots is CLASSIC else ["bytes", "3"])


def _value(answer: Answer) -> Any:
    """The answer without what differs from one invocation, or one folder, to the next; NaN equals itself."""
    try:
        value = json.loads(answer.body, parse_constant=str)
    except ValueError:
        return answer.body
    if isinstance(value, dict) and "errorType" in value:
        del value["requestId"], value["stackTrace"]
        if value["errorType"] == "Runtime.UnmarshalError":  # the parsers have words of their own for what is wrong
            value["errorMessage"] = value["errorMessage"].partition(": ")[0]
    return value


@both_modes
def test_an_unmodified_function_with_real_events(function_python: str, polylambda_path: str, slots: int | None) -> None:
    events = [path.read_bytes() for path in sorted((EXAMPLES / "events").glob("*.json"))]
    files = {"app.py": (EXAMPLES / "unmodified" / "app.py").read_bytes()}
    told: list[list[Any]] = []
    for module in ("polylambda", "awslambdaric"):
        command = [function_python, "-m", module, "app.handler"]
        env = {"PYTHONPATH": polylambda_path}
        with Emulator(command, max_concurrency=slots, env=env, files=files) as emulator:
            told.append([emulator.invoke(event).json() for event in events])

    ours, theirs = told
    assert ours == theirs
    assert [list(answer) for answer in ours] == [["statusCode", "headers", "body"], ["imported"], ["batchItemFailures"]]
