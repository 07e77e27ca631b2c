"""An application under AWS's emulator, in its classic mode and with eight slots."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import asgi_events as sources
from tests.conformance.emulator import Emulator

APP = """
import asyncio
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polylambda import asgi

@asynccontextmanager
async def lifespan(app):
    yield {"inside": []}

async def meet(request):  # answers when as many as it says are inside
    inside = request.state.inside
    inside.append(asyncio.Event())
    if len(inside) == int(request.query_params["parties"]):
        for each in inside:
            each.set()
    await inside[-1].wait()
    return JSONResponse({"number": request.path_params["number"]}, headers={"x-number": request.path_params["number"]})

async def blob(request):
    return Response(await request.body(), media_type="image/png")

async def fail(request):
    raise KeyError("mine")

app = Starlette(
    lifespan=lifespan,
    routes=[Route("/meet/{number}", meet), Route("/blob", blob, methods=["POST"]), Route("/fail", fail)],
)
handler = asgi.handler(app)
"""

NEEDED = ("mangum", "starlette", "anyio", "idna", "typing_extensions")
BLOB = bytes(range(256))


@pytest.fixture(scope="module")
def packages(polylambda_path: str) -> Iterator[str]:
    """What the application imports, where uid 993 can read it: for PYTHONPATH."""
    with tempfile.TemporaryDirectory(prefix="polylambda-asgi-") as name:
        folder = Path(name)
        for each in NEEDED:
            found = importlib.util.find_spec(each)
            assert found is not None
            assert found.origin is not None
            origin = Path(found.origin)
            if origin.name == "__init__.py":
                shutil.copytree(origin.parent, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(origin, folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield f"{polylambda_path}:{folder}"


@pytest.mark.parametrize("slots", [None, 8], ids=["classic", "managed"])
def test_application(packages: str, function_python: str, slots: int | None):
    command = [function_python, "-m", "polylambda", "app.handler"]
    env = {"PYTHONPATH": packages, "AWS_LAMBDA_CONCURRENCY_MODE": "task"}  # in one process, where they can meet
    parties = slots or 1
    with (
        Emulator(command, max_concurrency=slots, env=env, files={"app.py": APP}) as emulator,
        ThreadPoolExecutor(parties) as pool,
    ):
        events = [sources.http_api(f"/meet/{number}", query=f"parties={parties}") for number in range(parties)]
        answers = [answer.json() for answer in pool.map(emulator.invoke, events)]
        blob = emulator.invoke(sources.rest_api("/blob", "POST", body=BLOB)).json()
        failed = emulator.invoke(sources.url("/fail")).json()
    assert [answer["body"] for answer in answers] == [f'{{"number":"{number}"}}' for number in range(parties)]
    assert [answer["headers"]["x-number"] for answer in answers] == [str(number) for number in range(parties)]
    assert (sources.body_of(blob), blob["isBase64Encoded"]) == (BLOB, True)
    assert (failed["statusCode"], failed["body"]) == (500, "Internal Server Error")
