"""The plane as one running thing: its parts put together, started and ended.

Read `Plane.__aenter__` from top to bottom for the order in which it comes up, and backwards for how it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import secrets
import uuid
from typing import TYPE_CHECKING, Self

from polylambda.local import http
from polylambda.local.signals import handling_signals
from polylambda.plane.admin import Admin
from polylambda.plane.api.app import api
from polylambda.plane.api.server import PlaneServer
from polylambda.plane.clock import Clock
from polylambda.plane.control import NotActive, VersionStatus
from polylambda.plane.crew import Crew
from polylambda.plane.datadir import DataDir
from polylambda.plane.events import Dispatcher
from polylambda.plane.fleet import Fleet
from polylambda.plane.invoker import Invoker
from polylambda.plane.journal import Journal
from polylambda.plane.metrics import Metrics
from polylambda.plane.providers.local import LocalProvider
from polylambda.plane.queue import EventQueue
from polylambda.plane.reconciler import Reconciler
from polylambda.plane.router import Router
from polylambda.plane.scaler import Scaler
from polylambda.plane.sigv4 import Credentials
from polylambda.plane.snapshot import Snapshot
from polylambda.plane.states import ProviderState, VersionState
from polylambda.plane.store import Store
from polylambda.plane.targets import Targets
from polylambda.plane.url_metrics import CountedUrls

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from polylambda.plane.options import PlaneOptions
    from polylambda.plane.providers import InstanceProvider
    from polylambda.plane.records import VersionRecord
    from polylambda.server.invocation import Invocation
    from polylambda.server.response import Response

FORCED = 130
"""Exit status after a second Ctrl-C."""


def new_id(kind: str) -> str:
    """Make up the id of an "instance" or an "environment", as AWS's look."""
    return f"i-{secrets.token_hex(8)}0" if kind == "instance" else uuid.uuid4().hex


class Plane:
    """A plane: `async with Plane(options) as plane: plane.url`. It is the `Control` that AWS's API acts on.

    Attributes:
        url: of the API, without a slash at the end.
        journal: the logs.
    """

    def __init__(self, options: PlaneOptions, *, provider: InstanceProvider | None = None) -> None:
        """Describe a plane; `provider` launches its instances, by default as processes on this machine."""
        self._options = options
        self._provider = provider
        self._clock = Clock(options.time_scale)
        self._fleet = Fleet()
        self._router = Router(random.Random())  # noqa: S311 (a choice among environments is no secret)
        self._metrics = Metrics(self._gauges)
        self._invoker = Invoker(self._router, self._fleet, self._metrics, self._clock)
        self._down = asyncio.Event()
        self._forced = asyncio.Event()
        self._deadline: float | None = None
        self._token = ""
        self._owned = contextlib.AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        """Start: take the data directory, end what was left over, listen, and bring the fleet up.

        Raises:
            ConfigurationError: an option cannot be followed; the message says which.
        """
        options = self._options
        async with contextlib.AsyncExitStack() as stack:
            data = stack.enter_context(DataDir(options.data_dir))
            await asyncio.to_thread(data.clean_up)
            store = stack.enter_context(contextlib.closing(Store(options.data_dir)))
            queue = stack.enter_context(contextlib.closing(EventQueue(options.data_dir)))
            self.journal = Journal(options.logs)
            stack.callback(self.journal.flush)
            provider = self._provider or LocalProvider(token=data.token, folder=options.instances)
            crew = Crew(self._fleet, self._router, provider, self.journal, self._clock, options)
            stack.push_async_callback(self._end_fleet, crew)
            self._reconciler = Reconciler(store, self._fleet, self._router, Scaler(new_id=new_id), crew, self._clock)
            crew.on_change = self._reconciler.wake
            crew.on_init_failed = self._reconciler.init_failed
            self._reconciler.look()
            stack.push_async_callback(_cancel, asyncio.create_task(self._reconciler.run(), name="reconciler"))
            self._dispatcher = Dispatcher(queue, Targets(store, self, self._metrics, self._free_slots), self._clock)
            stack.push_async_callback(self._end_events)
            stack.push_async_callback(_cancel, asyncio.create_task(self._dispatcher.run(), name="events"))
            await self._listen(stack, store, queue)
            self._token = data.announce(self.url).token
            self._owned = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: take no more requests, finish those that were taken, and leave no process behind."""
        await self._owned.__aexit__(kind, error, trace)

    def stop(self) -> None:
        """Have `run` return."""
        self._down.set()

    def force(self) -> None:
        """Do not wait for what is under way when it ends."""
        self._forced.set()
        self._down.set()

    async def run(self) -> None:
        """Wait for `stop`, or for somebody to ask for the end at `/polylambda/down`."""
        await self._down.wait()

    # What AWS's API needs: `Control`

    def provider_state(self, name: str) -> ProviderState:
        """Return how far the capacity provider is."""
        life = self._reconciler.providers.get(name)
        return life.state if life is not None else ProviderState.PENDING

    def version_status(self, arn: str) -> VersionStatus:
        """Return how far the version is."""
        life = self._reconciler.life(arn)
        return life.status if life is not None else VersionStatus(VersionState.PENDING)

    def applied_scaling(self, arn: str) -> tuple[int, int | None] | None:
        """Return the minimum and maximum of environments that the fleet has converged to; None: to none yet."""
        life = self._reconciler.life(arn)
        return life.applied if life is not None else None

    def wanted_changed(self) -> None:
        """Take note that the store changed."""
        self._reconciler.wanted_changed()

    async def invoke(self, version: VersionRecord, invocation: Invocation, *, tail: bool = False) -> Response:
        """Run `invocation`, as `Control.invoke` says."""
        life = self._reconciler.life(version.arn)
        if life is None or life.serving is None:
            raise NotActive(self.version_status(version.arn))
        return await self._invoker.invoke(life.serving, invocation, tail=tail)

    def enqueue(self, version: VersionRecord, qualifier: str | None, invocation: Invocation) -> None:
        """Keep `invocation` for later, as `Control.enqueue` says."""
        self._dispatcher.put(version.function_name, version.qualifier, qualifier, invocation)

    # Inside

    def _free_slots(self, version: VersionRecord) -> int:
        life = self._reconciler.life(version.arn)
        return self._fleet.free_slots(life.serving.id) if life is not None and life.serving is not None else 0

    async def _listen(self, stack: contextlib.AsyncExitStack, store: Store, queue: EventQueue) -> None:
        options = self._options
        credentials = None if options.credentials_file is None else Credentials.load(options.credentials_file)
        sock = http.listen(options.host, options.port, advice="give --port another, or 0 for any free one")
        stack.callback(sock.close)
        self.url = http.url(sock)
        snapshot = Snapshot(self._fleet, self._reconciler, self._metrics, self._clock)
        self._snapshot = snapshot
        admin = Admin(
            snapshot,
            self._metrics,
            queue,
            token=lambda: self._token,
            public=options.public,
            down=self.stop,
        )
        app = api(
            store,
            self,
            region=options.region,
            account=options.account_id,
            admin=admin,
            credentials=credentials,
            endpoint=lambda: self.url,
        )
        server = PlaneServer(CountedUrls(app, store, self._metrics), sock)
        serving = asyncio.create_task(server.run_until_stopped(), name="HTTP server")
        stack.push_async_callback(self._end_serving, server, serving)

    async def _end_serving(self, server: PlaneServer, serving: asyncio.Task[None]) -> None:
        server.stop()
        await self._wait_while_not_forced(serving, self._patience)
        server.force()
        await serving

    async def _end_events(self) -> None:
        await self._dispatcher.finish(drain=self._patience)

    async def _end_fleet(self, crew: Crew) -> None:
        await crew.end(drain=self._patience)

    @property
    def _patience(self) -> float:
        """Real seconds that what is under way still has, once the plane ends: requests, events and instances share them."""
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._options.drain
        return 0.0 if self._forced.is_set() else max(0.0, self._deadline - now)

    async def _wait_while_not_forced(self, task: asyncio.Task[None], seconds: float) -> None:
        forced = asyncio.create_task(self._forced.wait())
        try:
            await asyncio.wait({task, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(forced)

    def _gauges(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        return self._snapshot.gauges()


async def serve(options: PlaneOptions, *, ready: Callable[[Plane], None] = lambda _: None) -> bool:
    """Run a plane until Ctrl-C, SIGTERM or `/polylambda/down`; return whether what was under way was waited for.

    Args:
        options: of the plane.
        ready: is called once it listens.

    Raises:
        ConfigurationError: an option cannot be followed; the message says which.
    """
    plane = Plane(options)
    interrupts = 0

    def interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        plane.force() if interrupts > 1 else plane.stop()

    with handling_signals(interrupt):
        async with plane:
            # What was loaded, AWS's model above all, stays: looking through it again and again would stop the loop.
            gc.collect()
            gc.freeze()
            ready(plane)
            await plane.run()
    return interrupts < 2


async def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
