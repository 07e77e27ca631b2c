"""What is safe, running: the examples, and those of the corpus that need nothing which is not installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polylambda.check.dynamic.options import RunOptions
from polylambda.check.finding import Mode
from tests.integration.check_runs import Checker, checking

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CORPUS = ROOT / "tests" / "corpus"

FILES = {
    "hello_json": ("app.handler", "hello_json/event.json"),
    "background_tasks": ("app.handler", "background_tasks/event.json"),
    "middleware_and_lifespan": ("app.runtime", "events/sqs.json"),
    "unmodified": ("app.handler", "events/http-api.json", "events/sqs.json", "events/s3.json"),
}
INLINE = {
    "streaming": '{"queryStringParameters": {"text": "one two"}}',
    "managed_instances/orders": '{"item": "tea"}',
    "managed_instances/report": "{}",
    "managed_instances/thumbnail": '{"image": "tea.jpg", "milliseconds": 1}',
}
HTTP = (EXAMPLES / "events" / "http-api.json").read_text()
# Those of the corpus that can run here, with no network and no library that is not installed, and an event each takes.
SAFE = {
    "ASYNC222/wait_safe.py": '{"job": "true"}',
    "ASYNC240/path_safe.py": '{"name": "report"}',
    "B006/default_safe.py": '{"order": {"item": "tea", "count": 1}}',
    "B006/stored_safe.py": '{"session": "abc"}',
    "B019/method_safe.py": '{"lines": [{"price": 2}], "country": "DE"}',
    "LMI101/alias_safe.py": '{"headers": {"accept-language": "en"}, "queryStringParameters": {"beta": "1"}}',
    "LMI101/augmented_safe.py": '{"types": ["text/css"], "name": "Ada", "type": "text/html"}',
    "LMI101/batch_safe.py": '{"Records": [{"messageId": "m-1", "body": "{\\"item\\": \\"tea\\", \\"count\\": 20}"}]}',
    "LMI101/counter_safe.py": '{"Records": [{"body": "tea"}]}',
    "LMI101/declared_safe.py": '{"name": "Ada"}',
    "LMI101/decorator_safe.py": '{"path": "/hello", "queryStringParameters": {"name": "Ada"}}',
    "LMI101/dispatch_safe.py": '{"action": "show", "id": "1"}',
    "LMI101/helper_safe": '{"Records": [{"Sns": {"Message": "{\\"subject\\": \\"tea\\"}"}}]}',
    "LMI102/counter_safe.py": '{"item": "tea"}',
    "LMI102/mutable_attribute_safe.py": '{"lines": [{"item": "tea", "price": 1}]}',
    "LMI103/factory_safe.py": '{"lines": [{"item": "tea", "count": 2}]}',
    "LMI104/attribute_safe.py": '{"id": "a"}',
    "LMI105/cached_property_safe": '{"queryStringParameters": {"name": "Ada"}}',
    "LMI105/stored_safe": '{"body": "{\\"order\\": \\"tea\\"}"}',
    "LMI106/counter_safe.py": '{"user": "Ada", "amount": 2}',
    "LMI106/inherited_safe": '{"item": "tea", "user": "Ada"}',
    "LMI106/module_instance_safe": '{"requestContext": {"identity": {"user": "Ada"}}, "path": "/orders"}',
    "LMI107/temporary_file_safe.py": '{"body": "tea"}',
    "LMI201/method_safe": '{"image": "ff00"}',
    "LMI203/alias_safe.py": '{"headers": {"x-proxy": "proxy"}}',
    "LMI204/umask_safe.py": '{"secret": "a secret"}',
    "LMI208/random_safe.py": '{"customer": "Ada"}',
    "LMI209/constant_safe.py": '{"order": "a"}',
    "LMI209/copied_safe.py": '{"order": "a"}',
    "LMI209/logging_safe.py": '{"order": "a"}',
    "LMI302/retry_safe.py": '{"orders": {"a": "tea"}, "number": "a"}',
    "LMI405/await_safe.py": '{"customer": "Ada", "friends": ["Bob"]}',
}


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checking() as checker:
        yield checker


@pytest.mark.parametrize("name", [*FILES, *INLINE])
def test_examples(name: str, checker: Checker):
    target, *files = FILES.get(name, ("app.handler",))
    events = tuple((EXAMPLES / file).read_bytes() for file in files) or (INLINE[name].encode(),)
    options = RunOptions(target, events, concurrency=4, invocations=8, root=EXAMPLES / name)
    assert not checker(options).findings


@pytest.mark.parametrize("name", SAFE)
def test_safe_twins_of_the_corpus(name: str, checker: Checker):
    path = CORPUS / name
    main = path if path.is_file() else path / "app.py"
    mode = re.search(r"# mode: (\w+)", main.read_text())
    assert mode is not None
    options = RunOptions(
        f"{main.stem}.handler", (SAFE[name].encode(),), Mode(mode[1]), concurrency=4, invocations=8, root=main.parent
    )
    assert not checker(options).findings


def test_an_application_of_fastapi(checker: Checker, tmp_path: Path):
    (tmp_path / "app.py").write_text("""
from fastapi import FastAPI, Request

from polylambda.asgi import handler as asgi

app = FastAPI()

@app.middleware("http")
async def identify(request: Request, call_next):
    request.state.agent = request.headers["user-agent"]
    return await call_next(request)

@app.get("/{path:path}")
async def show(path: str, request: Request):
    return {"path": path, "agent": request.state.agent}

handler = asgi(app)
""")
    options = RunOptions("app.handler", (HTTP.encode(),), concurrency=4, invocations=8, root=tmp_path)
    assert not checker(options).findings
