"""An environment whose agent breaks under it: the plane hears of its end all the same."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from polylambda.plane import processes
from polylambda.plane.agent.cpu import Nice
from polylambda.plane.agent.environment import Environment
from polylambda.plane.agent.protocol import EnvironmentChanged, Event
from polylambda.plane.agent.site import Site
from polylambda.plane.specs import EnvironmentSpec, InstanceSpec
from tests.integration.plane_agent import BOOTSTRAP, run

INSTANCE = InstanceSpec(id="i-1", capacity_provider="p", instance_type="c7i.large", zone="a", vcpus=2, memory=4096)


class Unguarded:
    """A guardian that guards nothing."""

    def began(self, group: int) -> None: ...

    def ended(self, group: int) -> None: ...


async def _lead(folder: Path, broken: str, error: Exception) -> tuple[list[EnvironmentChanged], list[Any]]:
    """Lead the life of an environment on a site one of whose methods raises `error`; stop it once it is Ready."""
    token = uuid4().hex
    defects: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context["exception"]))
    changes: list[EnvironmentChanged] = []

    def emit(event: Event) -> None:
        if isinstance(event, EnvironmentChanged):
            changes.append(event)
            if event.state == "Ready":
                environment.stop(1.0)

    class BrokenSite(Site):
        def __getattribute__(self, name: str) -> Any:
            if name == broken:
                raise error
            return super().__getattribute__(name)

    for name in ("code", "sockets", "instance"):
        (folder / name).mkdir()
    bootstrap = folder / "code" / "bootstrap"
    bootstrap.write_text(BOOTSTRAP.format(python=sys.executable, polls=1))
    bootstrap.chmod(0o755)
    site = BrokenSite(
        INSTANCE,
        folder / "instance",
        sockets=folder / "sockets",
        environ={"PATH": os.defpath, processes.MARK: token},
        cpu=Nice(),
        emit=emit,
        guardian=Unguarded(),  # type: ignore[arg-type]
    )
    spec = EnvironmentSpec(
        id="e1", function_name="f", qualifier="1", code=str(folder / "code"), runtime="provided.al2023", handler=""
    )
    environment = Environment(spec, site)
    await environment.live()
    assert processes.find(processes.marks(token)) == []
    return changes, defects


@pytest.mark.parametrize(
    ("broken", "states"),
    [
        ("commands", ["Starting", "Failed"]),
        ("process_started", ["Starting", "Failed"]),
        ("limit_cpu", ["Starting", "Failed"]),
        ("process_ended", ["Starting", "Ready", "Draining", "Dead"]),
        ("clean_up", ["Starting", "Ready", "Draining", "Dead"]),
    ],
)
@pytest.mark.parametrize("error", [RuntimeError("a defect"), OSError("no room")], ids=["defect", "machine"])
def test_whatever_breaks_the_plane_hears_of_the_end(
    tmp_path: Path, broken: str, states: list[str], error: Exception
) -> None:
    async def test() -> None:
        changes, defects = await _lead(tmp_path, broken, error)
        assert [change.state for change in changes] == states
        assert changes[-1].error_type == "Sandbox.Failure"
        assert str(error) in changes[-1].reason
        assert defects == ([error] if isinstance(error, RuntimeError) else [])

    run(test)


def test_a_socket_that_cannot_be_made_is_a_failed_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = tmp_path / ("far" * 40)
    monkeypatch.setattr(Site, "socket", lambda _self: far / "1")

    async def test() -> None:
        changes, _ = await _lead(tmp_path, "", RuntimeError())
        assert [change.state for change in changes] == ["Starting", "Failed"]
        assert "AF_UNIX path too long" in changes[-1].reason

    run(test)
