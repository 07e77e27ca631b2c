"""What a whole runtime imports, from its start to its first answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import SOURCE
from tests.scripted import ScriptedServer
from tests.unit.test_imports import ALLOWED, EXPENSIVE

APP = "import sys\ndef handler(event, context): return ' '.join(sys.modules)\n"


ASYNC_APP = APP.replace("def handler", "async def handler")


def modules_of_a_runtime(folder: Path, source: str, *options: str, **variables: str) -> set[str]:
    """What a runtime has imported when its handler first runs."""

    def script(server: ScriptedServer) -> None:
        peer = server.accept()
        peer.poll()
        peer.send_event("id-1", b'{"a": 1}')
        told.update(peer.answer("id-1").body.decode().strip('"').split())
        peer.reply(202)
        peer.poll()
        process.kill()

    told: set[str] = set()
    (folder / "app.py").write_text(source)
    server = ScriptedServer(script)
    variables |= {"PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1", "AWS_LAMBDA_RUNTIME_API": server.address}
    command = [sys.executable, *options, "-m", "polylambda", "app.handler"]
    process = subprocess.Popen(command, cwd=folder, env=variables)
    try:
        with server:
            process.wait()
    finally:
        process.kill()
        process.wait()
    return told


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_connecting_costs_no_codec_for_international_names(tmp_path, loop):
    told = modules_of_a_runtime(tmp_path, ASYNC_APP, POLYLAMBDA_LOOP=loop)
    assert "asyncio" in told
    assert "encodings.idna" not in told


def test_a_handler_without_types_is_answered_for_by_the_core_and_the_standard_library(tmp_path):
    told = modules_of_a_runtime(tmp_path, APP, "-S")

    by_python = subprocess.run(
        [sys.executable, "-S", "-c", f"{ALLOWED}\nimport importlib, runpy, sys\nprint(*sys.modules)"],
        env={},
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    ).stdout.split()
    imported = {module.partition(".")[0] for module in told.difference(by_python)}
    assert "app" in imported
    assert imported & EXPENSIVE == set()
    assert imported - set(sys.stdlib_module_names) == {"app", "polylambda"}


COLLECTIONS = 'import gc\nmade = sum(generation["collections"] for generation in gc.get_stats())\n'


def test_no_garbage_is_collected_while_a_function_is_imported(tmp_path):
    """Neither what our modules make nor what the function's makes; afterwards the collector works as ever."""
    (tmp_path / "bare.py").write_text(f"{COLLECTIONS}print(made, gc.get_threshold()[0])")
    bare = subprocess.check_output([sys.executable, "-m", "bare"], cwd=tmp_path, env={}, text=True)
    before, usual = map(int, bare.split())

    kept = "kept = [[] for _ in range(20_000)]\n"
    handler = "def handler(event, context): return f'made={made} threshold={gc.get_threshold()[0]}'\n"
    told = dict(each.split("=") for each in modules_of_a_runtime(tmp_path, kept + COLLECTIONS + handler))
    assert int(told["threshold"]) == usual
    assert int(told["made"]) <= before + 1
