"""AWS's API of a plane with a plane behind it that only pretends, served in a thread, for tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polylambda.local import http as local_http
from polylambda.plane.api.app import api
from polylambda.plane.api.server import PlaneServer
from polylambda.plane.control import NotActive, Throttled, VersionStatus
from polylambda.plane.records import VersionRecord
from polylambda.plane.router import Cause
from polylambda.plane.sigv4 import Credentials
from polylambda.plane.states import ProviderState, VersionState
from polylambda.plane.store import Store
from polylambda.server.broker import Invocation, Outcome, Response

PATIENCE = 30  # seconds until a test gives up waiting for something that must happen
REGION = "us-east-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/role"
PROVIDER_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:cp"


class LoggedResponse(Response):
    log_tail = ""


@dataclass(frozen=True)
class Queued:
    version: str
    qualifier: str | None
    invocation: Invocation


@dataclass
class FakeControl:
    """A plane in which everything becomes Active after it was looked at once, and what is deleted is gone at once.

    The event says what comes back: `{"do": "throttle" | "raise" | "stream" | "break" | "large"}`, else itself with the
    invocation's metadata.
    """

    store: Store
    linger: bool = False  # what is deleted stays
    queued: list[Queued] = field(default_factory=list[Queued])
    seen: set[str] = field(default_factory=set[str])
    failed: dict[str, VersionStatus] = field(default_factory=dict[str, VersionStatus])
    tails: list[bool] = field(default_factory=list[bool])
    answers: Callable[[Invocation, Response], None] | None = None

    def provider_state(self, name: str) -> ProviderState:
        record = self.store.provider(name)
        if record is None or record.deleting:
            return ProviderState.DELETING
        return ProviderState.ACTIVE if self._looked(name) else ProviderState.PENDING

    def version_status(self, arn: str) -> VersionStatus:
        if arn in self.failed:
            return self.failed[arn]
        record = next(version for version in self.store.versions() if version.arn == arn)
        if record.deleting:
            return VersionStatus(VersionState.DELETING)
        if record.deactivated:
            return VersionStatus(VersionState.DEACTIVATED)
        if self._looked(f"{arn} {record.generation}"):
            return VersionStatus(VersionState.ACTIVE)
        return VersionStatus(VersionState.PENDING, "The function is being created.", "Creating")

    def applied_scaling(self, arn: str) -> tuple[int, int | None] | None:
        return (3, None) if self._looked(f"scaling {arn}") else None

    def wanted_changed(self) -> None:
        if self.linger:
            return
        for version in reversed(self.store.versions()):
            if version.deleting:
                self.store.remove_version(version.function_name, version.qualifier)
        for provider in self.store.providers():
            if provider.deleting:
                self.store.remove_provider(provider.name)

    async def invoke(self, version: VersionRecord, invocation: Invocation, *, tail: bool = False) -> Response:
        self.tails.append(tail)
        if (status := self.version_status(version.arn)).state is not VersionState.ACTIVE:
            raise NotActive(status)
        event = json.loads(invocation.payload)
        do = event.get("do") if isinstance(event, dict) else None
        if do == "throttle":
            raise Throttled(Cause.CPU)
        response = LoggedResponse(invocation.request_id)
        asyncio.get_running_loop().call_soon(self._answer, version, invocation, response, do)
        await response.wait_for_head()
        return response

    def enqueue(self, version: VersionRecord, qualifier: str | None, invocation: Invocation) -> None:
        self.queued.append(Queued(version.qualifier, qualifier, invocation))

    def _answer(self, version: VersionRecord, invocation: Invocation, response: LoggedResponse, do: str | None) -> None:
        response.log_tail = base64.b64encode(b"the end of the log").decode()
        if self.answers is not None:
            self.answers(invocation, response)
        elif do == "raise":
            response.begin("application/json", streamed=False)
            response.feed(b'{"errorType": "ValueError", "errorMessage": "no good"}')
            response.end(Outcome.ERROR, "Function.ValueError")
        elif do in ("stream", "break"):
            response.begin("application/octet-stream", streamed=True)
            response.feed(b"one")
            response.feed(b"two")
            if do == "stream":
                response.end(Outcome.SUCCESS)
            else:
                response.end(Outcome.ERROR, "Function.ValueError", b'{"errorMessage": "no good"}')
        elif do == "large":
            response.begin("application/octet-stream", streamed=True)
            response.feed(b"x" * (7 * 1024 * 1024))
            response.end(Outcome.SUCCESS)
        else:
            told = {
                "event": json.loads(invocation.payload),
                "version": version.qualifier,
                "arn": invocation.invoked_function_arn,
                "id": invocation.request_id,
                "client_context": invocation.client_context,
                "tenant": invocation.tenant_id,
                "timeout": invocation.timeout,
            }
            response.begin("application/json", streamed=False)
            # The head is known before the body is, as it may be with an agent in between.
            asyncio.get_running_loop().call_soon(_finish, response, json.dumps(told).encode())

    def _looked(self, what: str) -> bool:
        seen = what in self.seen
        self.seen.add(what)
        return seen


def _finish(response: Response, body: bytes) -> None:
    response.feed(body)
    response.end(Outcome.SUCCESS)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ServedApi:
    """The running API, seen from outside."""

    url: str
    store: Store
    control: FakeControl
    loop: asyncio.AbstractEventLoop
    defects: list[Exception]

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=PATIENCE)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, host: str = ""
    ) -> Reply:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, data, {**(headers or {}), **({"host": host} if host else {})})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def make_provider(self, name: str = "cp", **members: Any) -> Reply:
        body = {
            "CapacityProviderName": name,
            "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
            "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
            **members,
        }
        return self.request("POST", "/2025-11-30/capacity-providers", body)

    def make_function(self, name: str = "f", **members: Any) -> Reply:
        return self.request("POST", "/2015-03-31/functions", {**function_body(name), **members})

    def make_published(self, name: str = "f", **members: Any) -> None:
        """Make a capacity provider and a function whose `$LATEST.PUBLISHED` is Active."""
        if self.store.provider("cp") is None:
            self.make_provider()
        assert self.make_function(name, PublishTo="LATEST_PUBLISHED", **members).status == 201
        self.request("GET", f"/2015-03-31/functions/{name}?Qualifier=$LATEST.PUBLISHED")

    def invoke(self, event: Any, function: str = "f", headers: dict[str, str] | None = None) -> Reply:
        return self.request("POST", f"/2015-03-31/functions/{function}/invocations", event, headers)


def zipped(**files: str) -> bytes:
    """Return a zip file; `app__py="..."` is a file `app.py`."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return data.getvalue()


CODE = zipped(app__py="def handler(event, context): return event\n")


def function_body(name: str = "f") -> dict[str, Any]:
    config = {"CapacityProviderArn": PROVIDER_ARN}
    return {
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Code": {"ZipFile": base64.b64encode(CODE).decode()},
        "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": config},
    }


@contextlib.asynccontextmanager
async def listening(server: PlaneServer) -> AsyncIterator[None]:
    """Do what the server does, but for the tenths of a second that it takes to notice that it is to stop."""
    server.config.load()
    state = server.server_state
    protocol: Any = server.config.http_protocol_class
    listener = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=server.config, server_state=state, app_state={}), sock=server._sock
    )
    try:
        yield
    finally:
        listener.close()
        for connection in list(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await asyncio.sleep(0)


@contextlib.contextmanager
def served_api(folder: Path, *, credentials: Credentials | None = None, admin: Any = None) -> Iterator[ServedApi]:
    """Serve the API from a store in `folder`. A defect that it reports fails the test."""
    started: Future[tuple[ServedApi, asyncio.Event]] = Future()
    defects: list[Exception] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        store = Store(folder)
        control = FakeControl(store)
        sock = local_http.listen("127.0.0.1", 0)
        url = local_http.url(sock)
        app = api(
            store,
            control,
            region=REGION,
            account=ACCOUNT,
            admin=admin,
            credentials=credentials,
            endpoint=lambda: url,
            on_defect=defects.append,
        )
        stop = asyncio.Event()
        try:
            async with listening(PlaneServer(app, sock)):
                started.set_result((ServedApi(url, store, control, loop, defects), stop))
                await stop.wait()
        finally:
            sock.close()
            store.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="plane API")
    thread.start()
    try:
        served, stop = started.result(PATIENCE)
        try:
            yield served
        finally:
            served.loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the API does not stop"
    assert defects == []
