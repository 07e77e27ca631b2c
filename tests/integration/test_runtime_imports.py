"""What a whole blocking runtime imports, from its start to its first answer."""

from __future__ import annotations

import subprocess
import sys

from tests.environment import SOURCE
from tests.scripted import ScriptedServer
from tests.unit.test_imports import ALLOWED, EXPENSIVE

APP = "import sys\ndef handler(event, context): return ' '.join(sys.modules)\n"


def test_a_handler_without_types_is_answered_for_by_the_core_and_the_standard_library(tmp_path):
    def script(server: ScriptedServer) -> None:
        peer = server.accept()
        peer.poll()
        peer.send_event("id-1", b'{"a": 1}')
        told.update(peer.answer("id-1").body.decode().strip('"').split())
        peer.reply(202)
        peer.poll()
        process.kill()

    told: set[str] = set()
    (tmp_path / "app.py").write_text(APP)
    server = ScriptedServer(script)
    variables = {"PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1", "AWS_LAMBDA_RUNTIME_API": server.address}
    command = [sys.executable, "-S", "-m", "polylambda", "app.handler"]
    process = subprocess.Popen(command, cwd=tmp_path, env=variables)
    try:
        with server:
            process.wait()
    finally:
        process.kill()
        process.wait()

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
