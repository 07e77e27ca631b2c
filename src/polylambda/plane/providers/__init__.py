"""Where instances come from. `local` makes each of them a process on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from polylambda.plane.agent_client import AgentClient, OnEvent, OnLost
    from polylambda.plane.specs import InstanceSpec


class LaunchFailed(PolylambdaError):
    """An instance could not be launched; nothing of it is left."""


class Instance(Protocol):
    """An instance that runs."""

    @property
    def client(self) -> AgentClient:
        """Its agent."""
        ...

    @property
    def pid(self) -> int:
        """Process id of its agent; 0 when that is on another machine."""
        ...

    async def terminate(self, *, drain: float = 0.0) -> None:
        """End it: its environments have `drain` seconds for what they hold. Return when nothing of it is left.

        May be called twice, and after the agent died by itself.
        """
        ...


class InstanceProvider(Protocol):
    """Who launches instances."""

    async def launch(self, spec: InstanceSpec, *, on_event: OnEvent, on_lost: OnLost) -> Instance:
        """Launch an instance; return when its agent listens. See `AgentClient` for what is called when.

        Raises:
            LaunchFailed: it could not be launched; nothing of it is left.
        """
        ...
