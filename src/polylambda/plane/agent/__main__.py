"""`python -m polylambda.plane.agent`: the agent of one instance, until its plane is gone.

It says where it listens, in one line of JSON on stdout. It ends, and everything on the instance with it, when its standard
input ends (if that is a pipe, as from the plane that started it), on SIGTERM and SIGINT, and when nobody has followed its
events for a while: the plane of an agent on another host has gone then.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polylambda.plane import processes
from polylambda.plane.agent.cpu import cpu_shares
from polylambda.plane.agent.events import Events
from polylambda.plane.agent.guardian import Guardian
from polylambda.plane.agent.http import Connection
from polylambda.plane.agent.instance import Instance
from polylambda.plane.agent.log_socket import make_folder
from polylambda.plane.agent.protocol import TOKEN_VARIABLE, Listening
from polylambda.plane.agent.service import Service
from polylambda.plane.agent.site import Site
from polylambda.plane.specs import InstanceSpec
from polylambda.settings import environment

if TYPE_CHECKING:
    from collections.abc import Coroutine

BACKLOG = 1024  # connections that may wait to be accepted: a plane makes one for each invocation at a time
UNHEARD = 10.0  # seconds without anybody who follows events, after which the agent ends


def main() -> None:
    """Run the agent."""
    options = _arguments()
    environ = environment()
    token = environ.pop(TOKEN_VARIABLE, "")
    if not token:
        raise SystemExit(f"polylambda agent: set {TOKEN_VARIABLE} to the token that the plane is to send")
    try:
        spec = msgspec.json.decode(options.instance, type=InstanceSpec)
    except msgspec.DecodeError as error:
        raise SystemExit(f"polylambda agent: --instance is no InstanceSpec in JSON: {error}") from error
    folder = Path(options.folder or tempfile.mkdtemp(prefix="polylambda-instance-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    marks = processes.marks(environ.get(processes.MARK, ""), instance=spec.id)
    sockets = make_folder()
    cpu = cpu_shares(spec.id)
    guardian = Guardian(marks, (folder, sockets), cpu.folders)
    events = Events()
    site = Site(spec, folder, sockets=sockets, environ=environ, cpu=cpu, emit=events.emit, guardian=guardian)
    try:
        _run(_serve(Instance(spec, site), events, token, options, cpu.sentence))
    finally:
        cpu.close()
        guardian.dismiss()


async def _serve(instance: Instance, events: Events, token: str, options: argparse.Namespace, cpu: str) -> None:
    """Serve until it is time to end."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    service = Service(instance, events)
    server = await loop.create_server(
        lambda: Connection(service.serve, token), options.host, options.port, backlog=BACKLOG
    )
    try:
        host, port = server.sockets[0].getsockname()[:2]
        _say(Listening(host, port, os.getpid(), cpu))
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(instance.watch(), name="measures"),
                tasks.create_task(_until_unheard(events, over), name="watch of the plane"),
            ]
            lifeline = await _hold_lifeline(over)
            await over.wait()
            for task in work:
                task.cancel()
            if lifeline is not None:
                lifeline.close()
    finally:
        await instance.close()
        await service.close()
        events.close()
        server.close()


def _say(listening: Listening) -> None:
    sys.stdout.write(msgspec.json.encode(listening).decode() + "\n")
    sys.stdout.flush()


async def _until_unheard(events: Events, over: asyncio.Event) -> None:
    """End when nobody has followed the events for long."""
    while True:
        await asyncio.sleep(1.0)
        if events.unheard_since is not None and time.monotonic() - events.unheard_since > UNHEARD:
            over.set()


class _Lifeline(asyncio.Protocol):
    """The pipe that the plane holds the other end of."""

    def __init__(self, over: asyncio.Event) -> None:
        self._over = over

    def connection_lost(self, exc: Exception | None) -> None:
        self._over.set()


async def _hold_lifeline(over: asyncio.Event) -> asyncio.BaseTransport | None:
    """Watch standard input, if it is something that another process holds the other end of."""
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    pipe = os.fdopen(os.dup(0), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Lifeline(over), pipe)
    return transport


def _run(work: Coroutine[None, None, None]) -> None:
    """Run `work` on the fastest loop there is."""
    try:
        import uvloop
    except ImportError:  # it does not exist for every platform
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m polylambda.plane.agent", description="The agent of one instance.")
    parser.add_argument("--instance", required=True, help="JSON of the InstanceSpec")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="TCP port (default: any free one)")
    parser.add_argument("--folder", help="folder of the instance, removed at the end (default: a temporary one)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
