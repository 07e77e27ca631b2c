"""The plane's end of the agent protocol: `AgentClient`, one for each instance.

What the messages look like is in `polylambda.plane.agent.protocol`; which environment gets an invocation is not decided here.
"""

from __future__ import annotations

from polylambda.plane.agent_client.client import AgentClient, OnEvent, OnLost
from polylambda.plane.agent_client.errors import AgentError, AgentLost, Refused
from polylambda.plane.agent_client.response import AgentResponse

__all__ = ["AgentClient", "AgentError", "AgentLost", "AgentResponse", "OnEvent", "OnLost", "Refused"]
