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
SAFE = {
    "ASYNC240/path_safe.py": '{"name": "report"}',
    "B006/default_safe.py": '{"order": {"item": "tea"}}',
    "B006/stored_safe.py": '{"session": "abc"}',
    "LMI101/alias_safe.py": '{"headers": {"x-language": "en"}, "queryStringParameters": {"beta": "1"}}',
    "LMI101/counter_safe.py": '{"Records": [{"body": "tea"}]}',
    "LMI101/dispatch_safe.py": '{"action": "get", "id": "a"}',
    "LMI102/counter_safe.py": '{"item": "tea"}',
    "LMI104/attribute_safe.py": '{"id": "a"}',
    "LMI106/inherited_safe": '{"item": "tea", "user": "Ada"}',
    "LMI204/umask_safe.py": '{"secret": "a secret"}',
    "LMI208/random_safe.py": '{"customer": "Ada"}',
    "LMI209/logging_safe.py": '{"order": "a"}',
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
