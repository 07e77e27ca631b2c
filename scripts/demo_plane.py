"""The last scene of the demo: managed instances on this machine, under a load that grows; one instance dies."""

from __future__ import annotations

import os
import queue
import re
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.text import Text

from polylambda.plane import processes
from polylambda.plane.contact import Contact, Snapshot, contact
from polylambda.plane.records import LATEST
from scripts import demo_stage as stage
from scripts.demo_stage import Line, NotAsPromised, Program, console, promise

TIME_SCALE = 30
RATE = 200  # invocations a second after the ramp
RAMP, HOLD = 15, 12  # seconds
SETTLE = 32  # seconds that the fleet may take to shrink again
CALM = 1.5  # seconds without a change before the load begins
ENOUGH = 90  # percent of the invocations that must be answered, although some were on the instance that dies
FUNCTION = "orders"
MINIMUM = 3  # environments of it
ORDER = '{"item": "tea"}'

_ANSWERED = re.compile(r"\s*(\d+)  answered \((\d+\.\d)%\)")
# Of what `polylambda up` tells, the coming and going of single environments is too much for a demo.
_TOLD = re.compile(r"environments wanted|instance i-|is Active|does not come up|publishing|creating|is there:")


def managed_instances() -> None:
    """Bring a plane up, load it until it grows, kill an instance, and see it shrink again."""
    stage.heading("Lambda Managed Instances on this machine: a fleet that follows its load")
    with tempfile.TemporaryDirectory(prefix="polylambda-demo-") as folder:
        scene = _Scene(Path(folder))
        with ExitStack() as stack:
            scene.play(stack)
        promise(not processes.find(processes.marks(scene.mark)), "nothing that the plane started runs any more")


class _Scene:
    """One plane, and the programs that are shown with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._began = time.monotonic()
        self._printed: list[str] = []
        self.mark = ""

    def play(self, stack: ExitStack) -> None:
        """Show all of it; `stack` ends the programs."""
        there = self._up(stack)
        # The start of an environment is a load, too, on a machine that is busy with something else.
        self._follow(self._calm(there), "the fleet is as small as it may be", 2 * stage.PATIENCE)
        self._ps()
        most = self._load(there)
        promise(most > MINIMUM, "there are more environments under load than before")
        self._down()

    def _up(self, stack: ExitStack) -> Contact:
        stage.show_command(f"cd examples/managed_instances && polylambda up --time-scale {TIME_SCALE}")
        arguments = ("--port", "0", "--data-dir", str(self._folder), "--time-scale", str(TIME_SCALE))
        example = stage.EXAMPLES / "managed_instances"
        self._plane = stack.enter_context(
            Program("polylambda", "up", "template.yaml", *arguments, cwd=example, lines=self._lines)
        )
        self._follow(lambda: sum("is there:" in line for line in self._printed) == 3, "three functions come up")
        self.mark = (self._folder / "process-mark").read_text().strip()
        return contact(self._folder)

    def _calm(self, there: Contact) -> Callable[[], bool]:
        """Return what says whether the fleet has been small, and wanted to be, for a while."""
        since = time.monotonic()

        def look() -> bool:
            nonlocal since
            fleet = there.fleet()
            (wanted,) = (version["wanted"] for version in _versions(fleet))
            if not wanted == _ready(fleet) == MINIMUM:
                since = time.monotonic()
            return time.monotonic() - since > CALM

        return look

    def _ps(self) -> None:
        stage.show_command("polylambda ps")
        for line in stage.run("polylambda", "ps", "--data-dir", str(self._folder), cwd=self._folder).splitlines():
            if line.strip():
                console.print(Text(f"   {line.rstrip()}", "cyan"))

    def _load(self, there: Contact) -> int:
        """Load it, kill an instance meanwhile, and return how many environments there were at most."""
        options = f"--from 5 --rate {RATE} --ramp {RAMP} --hold {HOLD} --settle {SETTLE}"
        stage.show_command(f"polylambda load {FUNCTION} --event '{ORDER}' {options}")
        most, killed = 0, ""

        def look() -> bool:
            nonlocal most, killed
            fleet = there.fleet()
            most = max(most, _ready(fleet))
            if not killed and time.monotonic() > half_way:
                killed = _kill(fleet)
            return load.process.poll() is not None

        arguments = ("--event", ORDER, *options.split(), "--data-dir", str(self._folder))
        program = Program("polylambda", "load", FUNCTION, *arguments, cwd=self._folder, lines=self._lines)
        half_way = time.monotonic() + RAMP + HOLD / 2
        program.__enter__()
        load = program
        try:
            self._follow(look, "the load ends", RAMP + HOLD + SETTLE + stage.PATIENCE)
        finally:
            program.stop()
        self._drain_lines()
        self._check(there.fleet(), killed)
        return most

    def _check(self, after: Snapshot, killed: str) -> None:
        (share,) = (found[2] for line in self._printed if (found := _ANSWERED.match(line)))
        promise(float(share) > ENOUGH, f"nearly every invocation was answered, and not {share} %")
        promise(killed not in {instance["id"] for instance in after["instances"]}, "the killed instance is gone")
        promise(_ready(after) == MINIMUM, "the fleet is as small again as it was")

    def _down(self) -> None:
        stage.show_command("polylambda down")
        said = stage.run("polylambda", "down", "--data-dir", str(self._folder), cwd=self._folder)
        stage.show(self._began, said, "cyan")
        status = self._plane.process.wait(stage.PATIENCE)
        promise(status == 0, f"the plane ends well; its exit status is {status}")

    # What the programs print

    def _follow(self, done: Callable[[], bool], what: str, patience: float = stage.PATIENCE) -> None:
        """Show lines as they come, until `done`."""
        until = time.monotonic() + patience
        while not done():
            promise(time.monotonic() < until, f"{what}. The programs printed:\n{chr(10).join(self._printed[-40:])}")
            try:
                self._show(self._lines.get(timeout=0.2))
            except queue.Empty:
                continue

    def _drain_lines(self) -> None:
        while True:
            try:
                self._show(self._lines.get_nowait())
            except queue.Empty:
                return

    def _show(self, line: Line) -> None:
        if line.text is None:
            if line.program is self._plane:
                raise NotAsPromised(f"the plane goes on. It printed:\n{chr(10).join(self._printed[-40:])}")
            return
        self._printed.append(line.text)
        if line.program is not self._plane:
            console.print(Text(f"   {line.text}", "cyan"))
        elif _TOLD.search(line.text):
            stage.show(self._began, line.text.partition("  ")[2], "yellow", line.at)


def _versions(fleet: Snapshot) -> list[dict[str, Any]]:
    """The versions of the function that run: `$LATEST` never does."""
    return [each for each in fleet["versions"] if each["function"] == FUNCTION and each["qualifier"] != LATEST]


def _ready(fleet: Snapshot) -> int:
    return sum(version["ready"] for version in _versions(fleet))


def _kill(fleet: Snapshot) -> str:
    """Kill the agent of an instance as a failing machine would; return the instance's id."""
    busy: dict[str, Any] = max(
        (instance for instance in fleet["instances"] if instance["state"] == "Running"),
        key=lambda instance: sum(
            environment["in_flight"]
            for environment in fleet["environments"]
            if environment["instance"] == instance["id"]
        ),
    )
    console.print(Text(f"   $ kill -9 {busy['pid']}    # instance {busy['id']}, with all that runs on it", "bold red"))
    os.kill(busy["pid"], signal.SIGKILL)
    return busy["id"]
