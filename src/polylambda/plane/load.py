"""The load generator: invokes a function on a schedule that waits for nobody, and watches the fleet follow.

The loop is open: an invocation is sent when it is due, however long the ones before it take, and its latency counts
from then. A generator that waits for answers would send less the slower the plane gets, and find everything fine.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from polylambda.errors import ConfigurationError
from polylambda.plane.callers import Callers, NoAnswer
from polylambda.plane.tally import FleetView, Row, Tally, Verdict, view_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.arrivals import Ramp
    from polylambda.plane.callers import Reply
    from polylambda.plane.contact import Contact

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

SIGNATURE_LIFE = 60.0
"""Seconds that a signed request is sent for; AWS takes it for five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What to send, and how.

    Attributes:
        function: name of the function, also `name:qualifier`.
        event: the payload of every invocation.
        ramp: when they are due.
        poisson: they come as from independent callers, not evenly spaced.
        seed: of the random numbers that takes.
        interval: seconds that a row of the report is about.
        settle: seconds that the fleet is watched after the load, at most; it ends when the fleet is as before.
        limit: invocations that may be under way; more are counted as not sent.
        timeout: seconds after which an answer is not waited for any more.
        credentials: access key and secret to sign with; None: requests are not signed.
    """

    function: str
    event: bytes
    ramp: Ramp
    poisson: bool = False
    seed: int = 0
    interval: float = 2.0
    settle: float = 0.0
    limit: int = 2000
    timeout: float = 60.0
    credentials: tuple[str, str] | None = None


class Load:
    """One run: `await Load(options, contact, on_row).run()`.

    Attributes:
        tally: what became of the invocations so far.
        late: seconds that the generator itself was behind its schedule, at most: when it is much, the machine was too
            slow for this load, and latencies include it.
    """

    def __init__(self, options: LoadOptions, contact: Contact, on_row: Callable[[Row], None]) -> None:
        """Load the plane at `contact`; call `on_row` with each row as it is there."""
        self.tally = Tally()
        self.late = 0.0
        self._options = options
        self._contact = contact
        self._on_row = on_row
        self._request = _Request(options, contact)
        self._under_way: set[asyncio.Task[None]] = set()
        self._function, _, self._qualifier = options.function.partition(":")
        self._began = 0.0

    async def run(self) -> None:
        """Send all of it, and wait for the answers; when it is cancelled, what was under way is cut off.

        Raises:
            ConfigurationError: the plane does not answer, or does not know the function.
        """
        first = await self._fleet()
        if first is None:
            raise ConfigurationError(
                f"the plane has no function {self._function} that is published: `polylambda ps` shows what it has"
            )
        self._began = asyncio.get_running_loop().time()
        self.tally.close_row(0.0, first)
        rows = asyncio.create_task(self._rows(), name="rows of the load")
        async with Callers(self._contact.host, self._contact.port) as callers:
            try:
                await self._send(callers)
                while self._under_way:
                    await asyncio.wait(self._under_way)
            finally:
                for task in self._under_way:
                    task.cancel()
                await asyncio.gather(*self._under_way, return_exceptions=True)
                rows.cancel()
                await asyncio.gather(rows, return_exceptions=True)
                await self._close_row()
        await self._settle(first)

    async def _send(self, callers: Callers) -> None:
        options, loop = self._options, asyncio.get_running_loop()
        rng = random.Random(options.seed) if options.poisson else None  # noqa: S311 - the gaps between callers
        for at in options.ramp.times(rng):
            due = self._began + at
            ahead = due - loop.time()
            self.late = max(self.late, -ahead)
            await asyncio.sleep(max(0.0, ahead))
            self.tally.due()
            if len(self._under_way) >= options.limit:
                self.tally.add(Verdict.UNSENT, 0.0)
                continue
            task = loop.create_task(self._one(callers, due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _one(self, callers: Callers, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.timeout):
                reply = await callers.send(self._request.data())
        except NoAnswer as error:
            self.tally.add(Verdict.LOST, 0.0, str(error))
        except TimeoutError:
            self.tally.add(Verdict.LOST, 0.0, f"no answer within {self._options.timeout:g} s")
        else:
            verdict, detail = verdict_of(reply)
            self.tally.add(verdict, (loop.time() - due) * 1000, detail)

    # The fleet

    async def _rows(self) -> None:
        while True:
            await asyncio.sleep(self._options.interval)
            await self._close_row()

    async def _close_row(self) -> FleetView | None:
        try:
            fleet = await self._fleet()
        except ConfigurationError:
            fleet = None  # the plane is gone: which the counts tell
        at = asyncio.get_running_loop().time() - self._began
        self._on_row(self.tally.close_row(at, fleet))
        return fleet

    async def _fleet(self) -> FleetView | None:
        snapshot = await asyncio.to_thread(self._contact.fleet)
        return view_of(snapshot, self._function, self._qualifier or None)

    async def _settle(self, before: FleetView) -> None:
        until = time.monotonic() + self._options.settle
        while time.monotonic() < until:
            await asyncio.sleep(self._options.interval)
            fleet = await self._close_row()
            if fleet is not None and fleet.ready <= before.ready and fleet.instances <= before.instances:
                return


def verdict_of(reply: Reply) -> tuple[Verdict, str]:
    """Return what an answer of Invoke means, and what it says when it is not a result."""
    if reply.status == 200:
        if b"x-amz-function-error" not in reply.headers:
            return Verdict.ANSWERED, ""
        return Verdict.FAILED, f"function error: {_told(reply.body)}"
    if reply.status == 429:
        return Verdict.THROTTLED, ""
    kind = reply.headers.get(b"x-amzn-errortype", b"").decode("latin-1")
    return Verdict.REFUSED, f"{reply.status} {kind}: {_told(reply.body)}"


def _told(body: bytes) -> str:
    """What an answer says, without ids: the same trouble is to be counted, not listed."""
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)
        text = f"{error['errorType']}: {error['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        pass
    return _ID.sub("...", text)[:200]


class _Request:
    """Invoke, as bytes; signed when the plane may want it."""

    def __init__(self, options: LoadOptions, contact: Contact) -> None:
        name, _, qualifier = options.function.partition(":")
        query = f"?Qualifier={quote(qualifier, safe='')}" if qualifier else ""
        self._target = f"/2015-03-31/functions/{quote(name, safe='')}/invocations{query}"
        self._contact = contact
        self._event = options.event
        self._credentials = options.credentials
        self._made = float("-inf")
        self._data = b""

    def data(self) -> bytes:
        if not self._data or (self._credentials and time.monotonic() - self._made > SIGNATURE_LIFE):
            self._made = time.monotonic()
            self._data = self._make()
        return self._data

    def _make(self) -> bytes:
        headers = {"Host": urlsplit(self._contact.url).netloc, "Content-Type": "application/json"}
        if self._credentials is not None:
            headers |= _signature(self._credentials, self._contact.url + self._target, headers, self._event)
        headers["Content-Length"] = str(len(self._event))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self._target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + self._event


def _signature(credentials: tuple[str, str], url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """Return all headers of a signed request."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(Credentials(*credentials), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())
