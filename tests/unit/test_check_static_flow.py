"""How a handler is followed: what leads to a finding, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from polylambda.check.finding import Finding, Mode, Step
from polylambda.check.static import StaticOptions, check, linter


@pytest.fixture(autouse=True)
def without_ruff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linter, "_ask", lambda files: {file: [] for file in files})


def findings(root: Path, source: str, mode: Mode | None = Mode.THREAD) -> list[Finding]:
    (root / "app.py").write_text(dedent(source).lstrip())
    return list(check(StaticOptions(("app.handler",), root, mode)).findings)


def lines(root: Path, source: str, mode: Mode | None = Mode.THREAD) -> list[tuple[int, str]]:
    return [(each.line, each.rule) for each in findings(root, source, mode)]


def test_a_finding_tells_the_thing_the_fix_the_modes_and_the_way_there(tmp_path: Path) -> None:
    source = """
        class Store:
            def keep(self, item):
                note(item)

        TABLE = {}
        store = Store()

        def note(item):
            TABLE["last"] = item

        def handler(event, context):
            store.keep(event["item"])
    """
    assert findings(tmp_path, source) == [
        Finding(
            path="app.py",
            line=9,
            column=5,
            rule="LMI101",
            message="module global `TABLE` is changed by every invocation",
            fix="pass it as an argument and return it, or keep it in a contextvars.ContextVar; if it must be shared, "
            "hold one lock around reading and writing it",
            modes=(Mode.TASK, Mode.THREAD),
            trail=(Step("handler", "app.py", 12), Step("Store.keep", "app.py", 3)),
        )
    ]


def test_what_is_not_unsafe_in_the_mode_is_not_reported(tmp_path: Path) -> None:
    source = """
        import time
        seen = []

        async def handler(event, context):
            seen.append(event)
            time.sleep(1)
    """
    assert lines(tmp_path, source, Mode.TASK) == [(5, "LMI101"), (6, "ASYNC251")]
    assert lines(tmp_path, source, Mode.THREAD) == [(5, "LMI101")]
    assert lines(tmp_path, source, Mode.PROCESS) == []


@pytest.mark.parametrize(
    "way",
    [
        "list(map(note, event['items']))",
        "sorted(event['items'], key=note)",
        "[note(each) for each in event['items']]",
        "(lambda: note(event))()",
        "functools.partial(note, event)()",
        "getattr(this, 'note')(event)",
        "{'a': note}[event['action']](event)",
        "threading.Thread(target=note, args=(event,)).start()",
        "pool.submit(note, event).result()",
        "asyncio.run(later(event))",
        "Doer()(event)",
        "Doer().value",
        "Doer()[event]",
        "list(Doer())",
        "Child().run(event)",
        "retry(note, event)",
        "unknown.call(note)",
        "next(steps(event))",
        "wrapped(event)",
    ],
)
def test_every_way_to_call_a_function_leads_to_it(tmp_path: Path, way: str) -> None:
    source = f"""
        import asyncio, concurrent.futures, functools, threading
        import app as this, unknown
        seen = []
        pool = concurrent.futures.ThreadPoolExecutor()

        def note(item=None):
            seen.append(item)

        async def later(item):
            note(item)

        def steps(item):
            yield note(item)

        def retry(function, *arguments, **named):
            return function(*arguments, **named)

        def wrap(function):
            @functools.wraps(function)
            def inner(*arguments):
                return function(*arguments)
            return inner

        @wrap
        def wrapped(item):
            note(item)

        class Doer:
            def __call__(self, item):
                note(item)
            def __getitem__(self, key):
                note(key)
            def __iter__(self):
                yield note()
            @property
            def value(self):
                return note()

        class Parent:
            def run(self, item):
                return self.step(item)

        class Child(Parent):
            def step(self, item):
                super().__init__()
                note(item)

        def handler(event, context):
            return {way}
    """
    assert (7, "LMI101") in lines(tmp_path, source)


@pytest.mark.parametrize(
    ("guard", "is_safe"),
    [
        ("with LOCK:", True),
        ("with LOCK, open('/dev/null') as other:", True),
        ("with locked():", True),
        ("with Guard():", True),
        ("with threading.Lock():", False),
        ("with ASYNC_LOCK:", False),
        ("with open('/dev/null'):", False),
    ],
)
def test_a_lock_counts_when_all_wait_for_the_same_one(tmp_path: Path, guard: str, is_safe: bool) -> None:
    source = f"""
        import asyncio, contextlib, threading
        LOCK = threading.Lock()
        ASYNC_LOCK = asyncio.Lock()
        seen = []

        @contextlib.contextmanager
        def locked():
            with LOCK:
                yield

        class Guard:
            def __enter__(self):
                LOCK.acquire()
            def __exit__(self, *error):
                LOCK.release()

        def handler(event, context):
            {guard}
                seen.append(event)
    """
    found = [each for each in lines(tmp_path, source) if each[1] == "LMI101"]
    assert found == ([] if is_safe else [(19, "LMI101")])


def test_after_a_lock_is_released_it_counts_no_more(tmp_path: Path) -> None:
    source = """
        import threading
        LOCK = threading.Lock()
        seen = []

        def handler(event, context):
            with LOCK:
                seen.append(event)
            seen.append(event)
            LOCK.acquire()
            seen.append(event)
            LOCK.release()
            seen.append(event)
    """
    assert lines(tmp_path, source) == [(8, "LMI101"), (12, "LMI101")]


def test_a_counter_that_is_set_back_is_no_constant(tmp_path: Path) -> None:
    source = """
        count = 0
        ready = False

        def handler(event, context):
            global count, ready
            count = 0
            ready = True
            for _ in event["items"]:
                count += 1
    """
    assert lines(tmp_path, source) == [(6, "LMI101"), (9, "LMI101")]


def test_a_path_of_which_nothing_is_known_is_not_taken_for_a_fixed_one(tmp_path: Path) -> None:
    source = """
        from pathlib import Path
        FIXED = Path("/tmp/out")

        def remove(path: Path):
            path.unlink()

        def handler(event, context):
            event.later(remove, make(event))
            remove(FIXED)
    """
    assert lines(tmp_path, source.replace("            remove(FIXED)\n", "")) == []
    assert lines(tmp_path, source) == [(5, "LMI201")]


def test_functions_that_call_themselves_and_each_other_come_to_an_end(tmp_path: Path) -> None:
    source = """
        seen = []

        def down(item, depth=0):
            seen.append(item)
            return up([item, down(item, depth + 1)])

        def up(item):
            return down({"item": item}) or up(item)

        def handler(event, context):
            return down(event)
    """
    assert lines(tmp_path, source) == [(4, "LMI101")]


def test_a_project_of_many_ways_is_followed_in_bounded_time(tmp_path: Path) -> None:
    steps = "\n".join(
        f"def step_{n}(a, b=None):\n    step_{n + 1}(b, a)\n    step_{n + 1}([a], b)\n    step_{n + 1}(a, dict(a=b))\n"
        for n in range(30)
    )
    source = f"seen = []\n\n{steps}\ndef step_30(a, b=None):\n    seen.append(a)\n\ndef handler(event, context):\n    step_0(event)\n"
    (tmp_path / "app.py").write_text(source)
    found = check(StaticOptions(("app.handler",), tmp_path)).findings
    assert [each.rule for each in found] == ["LMI101"]
    assert len(found[0].trail) == 31


def test_what_is_told_of_a_statement_of_many_lines_is_told_at_its_first(tmp_path: Path) -> None:
    source = """
        import os

        def handler(event, context):
            name = (
                event["name"],
                os.chdir(
                    event["folder"]),
            )
    """
    assert lines(tmp_path, source) == [(4, "LMI202")]


def test_ruff_is_heard_where_a_coroutine_runs_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(files: list[Path]) -> dict[Path, list[linter.Diagnosis]]:
        return {
            file: [linter.Diagnosis("ASYNC230", line, 1, "opens a file") for line in range(1, 14)] for file in files
        }

    monkeypatch.setattr(linter, "_ask", ask)
    source = """
        async def unused():
            pass

        async def used():
            return (
                1,
                2,
            )

        def plain():
            return 3

        async def handler(event, context):
            return await used(), plain()
    """
    found = findings(tmp_path, source, Mode.TASK)
    assert [(each.line, each.trail) for each in found] == [
        (4, (Step("handler", "app.py", 14),)),
        (5, (Step("handler", "app.py", 14),)),
        (13, ()),
    ]


def test_ruff_itself_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    source = """
        import os

        async def handler(event, context):
            return os.path.exists(event["path"])  # noqa: ASYNC240
    """
    assert lines(tmp_path, source, Mode.TASK) == [(4, "ASYNC240")]


def test_functions_that_are_followed_are_counted(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def a(): ...\ndef b(): a(); a()\ndef unused(): ...\ndef handler(event, context): b()"
    )
    assert check(StaticOptions(("app.handler",), tmp_path)).followed == 3


def chain(length: int) -> str:
    links = [f"def f{each}(): f{each + 1}()" for each in range(length)]
    return "\n".join(["S = []", *links, f"def f{length}(): S.append(1)", "def handler(event, context): f0()"])


def test_a_long_chain_of_calls_is_followed_to_its_end(tmp_path: Path) -> None:
    assert lines(tmp_path, chain(150)) == [(152, "LMI101")]


def test_what_is_beyond_a_limit_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(chain(400))
    deep = check(StaticOptions(("app.handler",), tmp_path))
    assert deep.problems == (
        "calls within calls are followed 200 deep: what `f199` (app.py:201) calls from there is not checked",
    )
    ways = "\n".join(f"class C{each}: ..." for each in range(40))
    calls = "; ".join(f"note(C{each}())" for each in range(40))
    (tmp_path / "app.py").write_text(f"{ways}\ndef note(it): ...\ndef handler(event, context): {calls}")
    wide = check(StaticOptions(("app.handler",), tmp_path))
    assert wide.problems == ("`note` (app.py:41) is called in more than 32 different ways: the others are not checked",)
    functions = "\n".join(f"def g{each}(): ..." for each in range(60))
    table = ", ".join(f"'{each}': g{each}" for each in range(60))
    source = f"{functions}\nTABLE = {{{table}}}\ndef handler(event, context): TABLE[event['x']]()"
    (tmp_path / "app.py").write_text(source)
    many = check(StaticOptions(("app.handler",), tmp_path))
    assert many.problems == ("what is called at app.py:62 may be one of more than 47: the others are not checked",)


def test_a_file_that_ruff_fails_on_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask(files: list[Path]) -> dict[Path, list[linter.Diagnosis]]:
        asked.append(len(files))
        if any(file.name == "b.py" for file in files):
            raise linter.Failed("its stack overflowed")
        return {file: [linter.Diagnosis("ASYNC230", 1, 1, "opens a file")] for file in files}

    monkeypatch.setattr(linter, "_ask", ask)
    for name in "abc":
        (tmp_path / f"{name}.py").write_text(f"async def f(): return {name!r}")
    source = "import a, b, c\n\nasync def handler(event, context):\n    await a.f(), await b.f(), await c.f()\n"
    (tmp_path / "app.py").write_text(source)
    options = StaticOptions(("app.handler",), tmp_path, Mode.TASK, tmp_path / "cache")
    checked = check(options)
    assert [each.path for each in checked.findings] == ["a.py", "c.py"]
    assert checked.problems == ("b.py is not checked by ruff, which failed: its stack overflowed",)
    (tmp_path / "c.py").write_text("async def f(): return 1")
    assert check(options).problems == checked.problems
    assert asked[0] == 4


def test_the_names_of_many_files_go_to_ruff_in_commands_that_are_not_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def ask(files: list[Path]) -> dict[Path, list[linter.Diagnosis]]:
        asked.append([file.name for file in files])
        return {file: [] for file in files}

    monkeypatch.setattr(linter, "_ask", ask)
    monkeypatch.setattr(linter, "_LONGEST", 2 * len(str(tmp_path / "a.py")) + 2)
    for name in "abc":
        (tmp_path / f"{name}.py").write_text("def f(): ...")
    assert lines(tmp_path, "import a, b, c\ndef handler(event, context): a.f(), b.f(), c.f()") == []
    assert sorted(map(len, asked)) == [1, 1, 2]


def test_a_path_is_shown_as_its_template_makes_it(tmp_path: Path) -> None:
    source = """
        def handler(event, context):
            open("/tmp/%s.json" % "fixed", "w")
            open("/tmp/%s-%02d%%.json" % ("a", 3), "w")
            open("/tmp/%s-%s.json" % ("a", event["id"]), "w")
    """
    shown = [each.message.rpartition(": ")[2] for each in findings(tmp_path, source)]
    assert shown == ["/tmp/fixed.json", "/tmp/a-3%.json"]


def test_a_handler_of_an_error_is_followed(tmp_path: Path) -> None:
    source = """
        from fastapi import FastAPI
        from polylambda.asgi import handler as make

        app = FastAPI()
        failed = {}

        @app.exception_handler(ValueError)
        async def on_error(request, error):
            failed["path"] = request.url.path

        handler = make(app)
    """
    assert lines(tmp_path, source, Mode.TASK) == [(9, "LMI101")]


def test_a_decorator_that_gives_nothing_that_can_be_called_hides_nothing(tmp_path: Path) -> None:
    source = """
        from elsewhere import maker

        seen = []

        @maker
        def logged(function):
            return function.registered

        @logged
        def handler(event, context):
            seen.append(event)
    """
    assert lines(tmp_path, source) == [(11, "LMI101")]
