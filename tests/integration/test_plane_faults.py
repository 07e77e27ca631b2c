"""Killing things under load: environments, agents, and the plane itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.exceptions
import psutil
import pytest

from polylambda.plane.contact import contact
from tests.integration.plane_process import PlaneProcess, wait_until, zipped

# Writes down what it begins and what it ends; a line this short is written whole or not at all.
APP = """
import os, time

def note(line):
    descriptor = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.close(descriptor)

def handler(event, context):
    note(f"begin {event['id']} {os.getpid()}\\n")
    if event.get("fail"):
        raise ValueError("on purpose")
    time.sleep(event.get("seconds", 0))
    while "until" in event and not os.path.exists(event["until"]):
        time.sleep(0.02)
    note(f"end {event['id']} {os.getpid()}\\n")
    return event["id"]
"""


class Diary:
    def __init__(self, path: Path) -> None:
        self._path = path

    def counts(self, kind: str) -> Counter[str]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(f"{kind} "))


@contextmanager
def plane_with_function(folder: Path) -> Iterator[PlaneProcess]:
    """A plane with a function `f`; its queue retries after half a second instead of a minute."""
    with PlaneProcess(folder / "data", "--time-scale", "120", "--cores-per-vcpu", "1") as plane:
        variables = {"Variables": {"DIARY": str(folder / "diary")}}
        plane.create_function("f", plane.create_provider(), zipped(app__py=APP), Environment=variables, Timeout=60)
        plane.publish("f")
        yield plane


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def diary(folder: Path) -> Diary:
    return Diary(folder / "diary")


@pytest.fixture(scope="module")
def running_plane(folder: Path) -> Iterator[PlaneProcess]:
    with plane_with_function(folder) as plane:
        yield plane


@pytest.fixture
def plane(running_plane: PlaneProcess) -> PlaneProcess:
    """The same, recovered from whatever another test did to it."""
    wait_until(lambda: len(running_plane.ready("f")) >= 3, "its minimum is there")
    return running_plane


class Load:
    """Callers who invoke again and again; every answer is kept."""

    def __init__(self, plane: PlaneProcess, name: str) -> None:
        self._plane = plane
        self._name = name
        self._stop = threading.Event()
        self._numbers = iter(range(1_000_000))
        self.answers: list[Any] = []
        self.errors: list[Any] = []
        self.refused: list[str] = []

    def _call(self) -> None:
        while not self._stop.is_set():
            event = {"id": f"{self._name}-{next(self._numbers)}", "seconds": 0.02}
            try:
                answer = self._plane.invoke("f", event)
            except botocore.exceptions.ClientError as error:
                self.refused.append(error.response["Error"]["Code"])
                self._stop.wait(0.02)
            else:
                (self.answers if answer == event["id"] else self.errors).append(answer)

    @contextmanager
    def running(self, callers: int) -> Iterator[None]:
        with ThreadPoolExecutor(callers) as pool:
            calls = [pool.submit(self._call) for _ in range(callers)]
            try:
                wait_until(lambda: len(self.answers) > 20, "the load runs")
                yield
            finally:
                self._stop.set()
        for call in calls:
            call.result()


def test_the_death_of_an_environment_costs_what_it_held_and_no_more(plane: PlaneProcess, diary: Diary) -> None:
    load = Load(plane, "one")
    with load.running(6):
        victim = plane.ready("f")[0]
        os.kill(victim["pid"], signal.SIGKILL)
        wait_until(lambda: victim["id"] not in {each["id"] for each in plane.ready("f")}, "it is out")
        wait_until(lambda: len(plane.ready("f")) >= 3, "it is replaced")
        answered = len(load.answers)
        wait_until(lambda: len(load.answers) > answered + 20, "the load goes on")
    assert {error["errorType"] for error in load.errors} <= {"Runtime.ExitError"}
    assert len(load.errors) <= 4  # its slots
    assert set(load.refused) <= {"TooManyRequestsException"}
    assert max(count for name, count in diary.counts("begin").items() if name.startswith("one-")) == 1, (
        "an invocation was given to two environments"
    )


def test_the_death_of_an_agent_is_an_error_for_its_callers_and_a_retry_for_events(
    plane: PlaneProcess, diary: Diary
) -> None:
    load = Load(plane, "two")
    with load.running(4):
        # A single environment of three may hold none of them, so hold all.
        for number in range(6):
            event = {"id": f"async-{number}", "seconds": 0.5}
            plane.invoke("f", event, InvocationType="Event")
        wait_until(lambda: sum(diary.counts("begin")[f"async-{n}"] for n in range(6)) >= 6, "all events run")
        victim = plane.ready("f")[0]["instance"]
        pid = next(each["pid"] for each in plane.fleet()["instances"] if each["id"] == victim)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: victim not in {each["id"] for each in plane.fleet()["instances"]}, "it is replaced")
        wait_until(lambda: len(plane.ready("f")) >= 3, "so is its environment")
        wait_until(lambda: all(diary.counts("end")[f"async-{n}"] for n in range(6)), "every event ran to its end")
    assert {error["errorType"] for error in load.errors} <= {"Sandbox.Failure", "Runtime.ExitError"}
    begun, ended = diary.counts("begin"), diary.counts("end")
    for number in range(6):
        name = f"async-{number}"
        assert ended[name] == 1, "an event ran twice although its first attempt was not lost"
        assert begun[name] <= 2
    assert all(count == 1 for name, count in begun.items() if name.startswith("two-"))


def test_an_agent_that_hangs_is_given_up_with_what_it_holds(
    plane: PlaneProcess, folder: Path, request: pytest.FixtureRequest
) -> None:
    gate = folder / "gate"
    with ThreadPoolExecutor(9) as pool:
        calls = [pool.submit(plane.invoke, "f", {"id": f"hang-{n}", "until": str(gate)}) for n in range(9)]
        try:
            wait_until(lambda: in_flight(plane) == 9, "all are under way")
            held = [each for each in plane.ready("f") if each["in_flight"]]
            victim = next(each for each in plane.fleet()["instances"] if each["id"] == held[0]["instance"])
            expected = sum(each["in_flight"] for each in held if each["instance"] == victim["id"])
            os.kill(victim["pid"], signal.SIGSTOP)
            stopped = time.monotonic()
            wait_until(lambda: victim["id"] not in running(plane), "it is given up")
            record(request, "seconds until it was given up", since=stopped)
            # Whoever another instance runs waits still: only the end of this one can have answered them.
            wait_until(lambda: sum(call.done() for call in calls) == expected, "its callers are answered")
            record(request, "seconds until its callers were answered", since=stopped)
            wait_until(lambda: victim["id"] not in {each["id"] for each in plane.fleet()["instances"]}, "it is gone")
        finally:
            gate.touch()
        answers = [call.result() for call in calls]
    lost = [answer for answer in answers if not isinstance(answer, str)]
    assert len(lost) == expected
    assert {answer["errorType"] for answer in lost} == {"Sandbox.Failure"}
    assert not psutil.pid_exists(victim["pid"])


def record(request: pytest.FixtureRequest, what: str, *, since: float) -> None:
    """Put a time into the report of a test; how long things take here is good to know and no reason to fail."""
    request.node.user_properties.append((what, round(time.monotonic() - since, 3)))


def in_flight(plane: PlaneProcess) -> int:
    return sum(each["in_flight"] for each in plane.ready("f"))


def running(plane: PlaneProcess) -> set[str]:
    """Return the ids of the instances that are Running."""
    return {each["id"] for each in plane.fleet()["instances"] if each["state"] == "Running"}


def test_a_killed_plane_leaves_nothing_running_and_the_next_one_carries_on(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    diary = Diary(tmp_path / "diary")
    held = [f"held-{number}" for number in range(4)]
    with plane_with_function(tmp_path) as plane, ThreadPoolExecutor(len(held)) as pool:
        calls = [pool.submit(plane.invoke, "f", {"id": name, "until": str(tmp_path / "never")}) for name in held]
        wait_until(lambda: all(diary.counts("begin")[name] for name in held), "its callers wait")
        for number in range(30):
            event = {"id": f"event-{number}", "seconds": 0.1, "fail": number == 7}
            plane.invoke("f", event, InvocationType="Event")

        def ran() -> int:
            return sum(name.startswith("event-") for name in diary.counts("end"))

        wait_until(lambda: ran() >= 5, "some events have run")
        before = plane.left_running()
        assert len(before) >= 6
        plane.kill()
        killed = time.monotonic()
        # Were one of them to hang, its error would be that of a client that has waited long enough: ReadTimeoutError.
        assert {type(call.exception()) for call in calls} == {botocore.exceptions.ConnectionClosedError}
        record(request, "seconds until its callers had an error", since=killed)
        wait_until(lambda: plane.left_running() == [], "instances end with their plane")
        ended = diary.counts("end")
        left = names_in(plane.folder / "instances")
        plane.start()
        assert plane.client.get_function(FunctionName="f")["Configuration"]["Version"] == "$LATEST"
        wait_until(lambda: plane.state("f", "1") == "Active", "the same version is Active again")
        assert plane.invoke("f", {"id": "after"}) == "after"
        assert left & names_in(plane.folder / "instances") == set()
        wait_until(lambda: ran() >= 29, "all but one have run")
        wait_until(lambda: plane.get("/polylambda/dead-letters")["dead_letters"], "the failing one is given up")
        begun, now = diary.counts("begin"), diary.counts("end")
        for number in range(30):
            name = f"event-{number}"
            if number == 7:
                assert 3 <= begun[name] <= 4  # its retries, and the one that the kill may have cut short
                assert now[name] == 0
            else:
                # An event that ended in the moment of the kill may not have been crossed off: it is the only one that may run twice.
                assert now[name] == 1 or (now[name] == 2 and ended[name] == 1)
        assert {begun[name] for name in held} == {1}, "an invocation ran again although its caller had an error"
        (letter,) = plane.get("/polylambda/dead-letters")["dead_letters"]
        assert (letter["condition"], letter["attempts"]) == ("RetriesExhausted", 3)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_down_ends_everything(tmp_path: Path) -> None:
    with PlaneProcess(tmp_path / "data") as plane:
        found = contact(plane.folder)
        assert found.url == plane.url
        found.down()
        assert plane.wait() == 0
        assert not (plane.folder / "plane.json").exists()
