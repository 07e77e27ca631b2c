"""A plane from its start to its end, and what it tells of itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from polylambda.plane import processes
from tests.integration.plane_process import PlaneProcess, wait_until, zipped

APP = """
import time

def handler(event, context):
    print("at work", flush=True)
    time.sleep(event.get("seconds", 0))
    return "one"
"""


@pytest.fixture(scope="module")
def empty_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlaneProcess]:
    """A plane that nobody changes."""
    with PlaneProcess(tmp_path_factory.mktemp("plane") / "data") as plane:
        yield plane


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[PlaneProcess]:
    """A plane with a function `f`, published as `$LATEST.PUBLISHED`."""
    with PlaneProcess(tmp_path / "data", "--time-scale", "20", "--cores-per-vcpu", "1") as plane:
        plane.create_function("f", plane.create_provider(), zipped(app__py=APP))
        plane.client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
        wait_until(lambda: plane.state("f", "$LATEST.PUBLISHED") == "Active", "it is Active")
        yield plane


def ask(plane: PlaneProcess, path: str, method: str = "GET", token: str | None = None) -> tuple[int, str, str]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    request = urllib.request.Request(plane.url + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers["content-type"], response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read().decode()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "polylambda.plane", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("path", "method", "status", "text"),
    [
        ("/polylambda/fleet", "GET", 200, '"instances":[]'),
        ("/polylambda/fleet", "HEAD", 200, ""),
        ("/polylambda/fleet", "POST", 405, "takes GET, not POST"),
        ("/polylambda/nothing", "GET", 404, "there is no /polylambda/nothing here"),
        ("/polylambda/dead-letters", "GET", 200, '{"dead_letters":[]}'),
        ("/polylambda/dead-letters?function=f&limit=5", "GET", 200, '{"dead_letters":[]}'),
        ("/polylambda/dead-letters?limit=0", "GET", 400, "limit=0 must be a number"),
        ("/polylambda/dead-letters?limit=many", "GET", 400, "limit=many must be a number"),
        ("/polylambda/down", "GET", 405, "takes POST"),
        ("/polylambda/down", "POST", 401, "plane.json"),
        ("/metrics", "GET", 200, "\n"),
    ],
)
def test_its_own_endpoints(empty_plane: PlaneProcess, path: str, method: str, status: int, text: str) -> None:
    found, content_type, body = ask(empty_plane, path, method)
    assert (found, text in body) == (status, True)
    assert content_type.startswith("text/plain" if path == "/metrics" else "application/json")


def test_a_wrong_token_does_not_end_it(empty_plane: PlaneProcess) -> None:
    assert ask(empty_plane, "/polylambda/down", "POST", "0" * 32)[0] == 401
    assert ask(empty_plane, "/polylambda/fleet")[0] == 200


def test_what_its_data_directory_tells_is_for_its_owner_only(empty_plane: PlaneProcess) -> None:
    for name in ("plane.json", "process-mark"):
        assert (empty_plane.folder / name).stat().st_mode & 0o077 == 0


def test_a_data_directory_has_one_plane_at_a_time(empty_plane: PlaneProcess) -> None:
    second = run("--data-dir", str(empty_plane.folder), "--port", "0")
    assert second.returncode == 1
    assert f"already (process {empty_plane.pid}, {empty_plane.url}): end it with `polylambda down`" in second.stderr
    assert "Traceback" not in second.stderr
    assert ask(empty_plane, "/polylambda/fleet")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--credentials-file"),
        (["--port", "65536"], "--port 65536"),
        (["--time-scale", "0"], "--time-scale"),
        (["--cores-per-vcpu", "-1"], "--cores-per-vcpu"),
        (["--credentials-file", "/does/not/exist"], "/does/not/exist"),
    ],
)
def test_an_option_that_cannot_be_followed_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = run("--data-dir", str(tmp_path / "data"), *arguments)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_named_with_the_option_for_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--data-dir", str(tmp_path / "data"), "--port", str(port))
    assert ended.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use by another program: end it, or give --port another" in ended.stderr
    assert "LOCAL_LAMBDA_PORT" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run("--data-dir", str(tmp_path / "file" / "data"), "--port", "0")
    assert (ended.returncode, "--data-dir" in ended.stderr, "Traceback" in ended.stderr) == (1, True, False)


def test_what_an_earlier_plane_left_running_is_ended_at_the_start(tmp_path: Path) -> None:
    with PlaneProcess(tmp_path / "data") as plane:
        token = (plane.folder / "process-mark").read_text()
    kept = tmp_path / "data" / "instances" / "i-left"
    (kept / "tmp").mkdir(parents=True)
    environ = {**os.environ, **processes.marks(token)}
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environ)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        wait_until(plane.left_running, "the leftover is there")
        with PlaneProcess(tmp_path / "data"):
            assert left.wait(10) == -signal.SIGKILL
            assert stranger.poll() is None
            assert not kept.exists()
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_new_code_takes_over_without_a_single_error_and_broken_code_is_failed(plane: PlaneProcess) -> None:
    def call() -> Any:
        return plane.client.invoke(FunctionName="f", Payload=b"{}")["Payload"].read()

    assert call() == b'"one"'
    plane.client.update_function_code(FunctionName="f", ZipFile=zipped(app__py=APP.replace("one", "two")))
    plane.client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    answers = [call()]
    assert answers == [b'"one"']  # the old one serves until the new one is ready
    while answers[-1] == b'"one"':
        answers.append(call())
    assert answers[-1] == b'"two"'
    wait_until(lambda: len(plane.fleet()["environments"]) == 3, "the old environments are gone")
    assert [call() for _ in range(5)] == [b'"two"'] * 5

    # Its URL, with what is counted of it
    url = plane.client.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    path = f"/url/{url.removeprefix('http://').partition('.')[0]}/"
    assert ask(plane, path)[::2] == (200, '"two"')
    metrics = ask(plane, "/metrics")[2]
    assert 'UrlRequestCount{FunctionName="f",Resource="f:$LATEST.PUBLISHED",' in metrics
    assert "Url5xxCount{" not in metrics

    # And one that cannot start says why.
    provider = plane.client.list_capacity_providers()["CapacityProviders"][0]["CapacityProviderArn"]
    plane.create_function("broken", provider, zipped(app__py="import no_such_module"))
    plane.client.publish_version(FunctionName="broken")
    wait_until(lambda: plane.state("broken", "1") == "Failed", "it is Failed")
    found = plane.client.get_function_configuration(FunctionName="broken", Qualifier="1")
    assert found["StateReasonCode"] == "FunctionError.RuntimeInitError"
    assert "no_such_module" in found["StateReason"]
    with pytest.raises(botocore.exceptions.ClientError):
        plane.invoke("broken", {})
    wait_until(lambda: not plane.ready("broken"), "it has no environments")


def test_what_is_under_way_is_finished_when_it_ends(plane: PlaneProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(plane.invoke, "f", {"seconds": 0.5}, "$LATEST.PUBLISHED")
        wait_until(lambda: "at work" in str(plane.log("f")), "it is at work")
        plane.signal(signal.SIGTERM)
        assert call.result() == "one"
        assert plane.wait() == 0
    assert plane.left_running() == []


def test_a_second_signal_does_not_wait(plane: PlaneProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(plane.invoke, "f", {"seconds": 9}, "$LATEST.PUBLISHED")
        wait_until(lambda: "at work" in str(plane.log("f")), "it is at work")
        plane.signal(signal.SIGINT)
        plane.signal(signal.SIGTERM)
        assert plane.wait() == 130
        assert call.exception() is not None or call.result() != "one"
    assert plane.left_running() == []
