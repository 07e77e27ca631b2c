"""One execution environment on an instance: started, fed, held to its limits, drained, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from polylambda.errors import PolylambdaError
from polylambda.plane.agent import log_socket
from polylambda.plane.agent.command import CannotRun, variables
from polylambda.plane.agent.gauge import Gauge
from polylambda.plane.agent.log import Log
from polylambda.plane.agent.log_socket import LogSocket
from polylambda.plane.agent.protocol import EnvironmentChanged, EnvironmentMeasures
from polylambda.plane.agent.slots import SlotBroker
from polylambda.plane.agent.table import proportional_memory
from polylambda.plane.router import Cause
from polylambda.plane.states import ENVIRONMENT_STEPS, EnvironmentState, step
from polylambda.server import faults
from polylambda.server.environment import RuntimeApi
from polylambda.server.errors import CannotStart, InvocationRefused
from polylambda.server.function import FunctionConfiguration
from polylambda.server.process import RuntimeProcess

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.plane.agent.site import Site
    from polylambda.plane.agent.table import ProcessTable
    from polylambda.plane.specs import EnvironmentSpec
    from polylambda.server.invocation import Invocation
    from polylambda.server.process import Exit
    from polylambda.server.response import Response

MIN_INIT = 130.0  # seconds that an init may take, or the function's timeout if that is longer
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
EXACT_FROM = 0.5  # share of its memory from which on it is measured exactly, which costs more
OUT_OF_MEMORY = "Runtime.OutOfMemory"
INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
INITIALIZATION_TYPE = "lambda-managed-instances"


class NotTaken(PolylambdaError):
    """The environment does not take an invocation; the runtime has not seen it.

    Attributes:
        status: HTTP status for it.
        cause: what there is too little of.
    """

    def __init__(self, status: int, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.cause = cause


class Environment:
    """An execution environment: `live` leads its life from start to end, `invoke` is what it is there for.

    Attributes:
        spec: what it was told to be.
        state: where it is in its life.
        gauge: how it does.
        log: of its function.
    """

    def __init__(self, spec: EnvironmentSpec, site: Site) -> None:
        """Describe an environment on the instance that `site` tells of."""
        self.spec = spec
        self.state = EnvironmentState.STARTING
        self.gauge = Gauge(
            cores=spec.vcpus * site.cores_per_vcpu, memory=spec.memory, tmp=spec.tmp_size, clock=time.monotonic
        )
        self.log = Log(spec.id, site.emit, level=spec.system_log_level)
        self._site = site
        self._folder = site.folder / "environments" / spec.id
        self._broker = SlotBroker(spec.slots)
        self._api = RuntimeApi(self._broker, function=_configuration(spec))
        self._log_socket = LogSocket(site.socket(), self.log.output)
        self._process: RuntimeProcess | None = None
        self._stop: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._fault: tuple[str, str] | None = None  # why we ended it ourselves

    @property
    def pid(self) -> int:
        """Process id of the runtime; 0 while there is none."""
        return (self._process and self._process.pid) or 0

    @property
    def tmp(self) -> Path:
        """The function's /tmp."""
        return self._folder / "tmp"

    # Invocations

    async def admit(self) -> None:
        """Return when an invocation would be taken: `invoke` it right then.

        Raises:
            NotTaken: it would not.
        """
        self._check()
        if not await self._broker.room():
            raise NotTaken(429, Cause.CONCURRENCY, f"environment {self.spec.id} has no free slot")
        self._check()  # it may have waited

    def _check(self) -> None:
        if self.state is not EnvironmentState.READY:
            message = f"environment {self.spec.id} is {self.state.value}, not Ready"
            raise NotTaken(409, Cause.CONCURRENCY, message)
        if self.gauge.hot is not None:
            raise NotTaken(429, self.gauge.hot, f"environment {self.spec.id} is hot")

    async def invoke(self, invocation: Invocation) -> Response:
        """Run an invocation, right after `admit`; return when the head of its answer is known.

        Raises:
            NotTaken: the runtime never saw it.
            InvalidInvocation: its metadata cannot travel in headers.
        """
        try:
            return await self._broker.invoke(invocation)
        except InvocationRefused as error:
            raise NotTaken(429, Cause.CONCURRENCY, str(error)) from error

    # Life

    def stop(self, drain: float) -> None:
        """Have it end, when what it holds has been answered or `drain` seconds are over."""
        if not self._stop.done():
            self._stop.set_result(drain)

    async def live(self) -> None:
        """Lead its life, from start to end. Events say how it goes, and how it ended: whatever happens."""
        self._to(EnvironmentState.STARTING)
        try:
            end = await self._live()
        except Exception as error:  # the plane would wait for ever for an end of which it never hears
            end = self._broken(error)
        self._to(*end)

    async def _live(self) -> _End:
        """Lead its life, up to what its end is said to be."""
        try:
            async with self._api, self._log_socket:
                try:
                    return await self._run()
                except (CannotRun, CannotStart) as error:
                    error_type = error.error_type if isinstance(error, CannotRun) else INVALID_ENTRYPOINT
                    self.log.note(str(error))
                    return _End(EnvironmentState.FAILED, error_type, str(error))
                finally:
                    self._broker.close()
        finally:
            await self._site.clean_up(self.spec.id, self._folder)

    def _broken(self, error: Exception) -> _End:
        """Make an end of an error that is the agent's, or of the machine it is on."""
        reason = f"The execution environment broke: {type(error).__name__}: {error}"
        self.log.note(reason)
        if not isinstance(error, OSError):  # no disk, no descriptor: everything else is a defect of ours
            message = f"a defect of polylambda: environment {self.spec.id} broke"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
        starting = self.state is EnvironmentState.STARTING
        return _End(EnvironmentState.FAILED if starting else EnvironmentState.DEAD, faults.SANDBOX_FAILURE, reason)

    async def _run(self) -> _End:
        """Start the runtime, and see it through. Raises CannotRun, CannotStart, OSError."""
        site, spec = self._site, self.spec
        self.tmp.mkdir(parents=True)
        command = await site.commands.command(spec)
        if command.note:
            self.log.note(command.note, once=True)
        environ = variables(spec, command, inherited=site.environ, folder=self._folder, marks=site.marks(spec.id))
        environ[log_socket.VARIABLE] = str(self._log_socket.path)
        process = self._process = RuntimeProcess(
            command.words,
            self._api,
            environ=environ,
            cwd=spec.code,
            grace=GRACE,
            on_output=self.log.output,
        )
        self.log.platform("platform.initStart", self._init_record())
        began = time.monotonic()
        await process.start()
        pid = self.pid
        exit_task = asyncio.create_task(process.wait())
        try:
            site.process_started(spec, pid)
            end = await self._init(exit_task)
            if not self._stop.done():  # nobody has waited for a report of an init that was broken off
                self._report_init(end, time.monotonic() - began)
            return end or await self._serve(exit_task)
        finally:
            await process.stop()
            site.process_ended(pid)
            await asyncio.wait([exit_task])

    async def _init(self, exit_task: asyncio.Task[Exit]) -> _End | None:
        """Wait until the runtime is ready; None: it is."""
        ready = asyncio.create_task(self._api.ready())
        try:
            limit = max(MIN_INIT, self.spec.timeout)
            await asyncio.wait({ready, exit_task, self._stop}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if self._fault is not None:
                return _End(EnvironmentState.FAILED, *self._fault)
            if ready.done() and ready.result():
                return None
            if self._api.init_error is not None:
                error_type, payload = self._api.init_error
                await asyncio.wait([exit_task], timeout=GRACE)  # it ends by itself, and may still write to its log
                return _End(EnvironmentState.FAILED, error_type, _message(payload))
            if self._stop.done():
                return _End(EnvironmentState.STOPPED)
            message = f"The function was not ready after {limit:.0f} seconds of init"
            return _End(EnvironmentState.FAILED, faults.TIMED_OUT, message)
        finally:
            ready.cancel()
            await asyncio.wait([ready])

    async def _serve(self, exit_task: asyncio.Task[Exit]) -> _End:
        """Take invocations until the runtime exits, or is to be stopped."""
        self._site.limit_cpu(self.spec)
        self._to(EnvironmentState.READY)
        await asyncio.wait({exit_task, self._stop}, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done() and not exit_task.done():
            self._to(EnvironmentState.DRAINING)
            idle = asyncio.create_task(self._broker.idle())
            await asyncio.wait({exit_task, idle}, timeout=self._stop.result(), return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()
            await asyncio.wait([idle])
            if not exit_task.done():
                self._broker.fail_running(faults.SANDBOX_FAILURE, "The execution environment was shut down")
                return _End(EnvironmentState.STOPPED)
        self._broker.close()
        if self._fault is not None:
            return _End(EnvironmentState.DEAD, *self._fault)
        return _End(EnvironmentState.DEAD, faults.EXIT_ERROR, exit_task.result().reason)

    def _to(self, state: EnvironmentState, error_type: str = "", reason: str = "") -> None:
        """Go to a state, and say so."""
        if state is not self.state:
            self.state = step(ENVIRONMENT_STEPS, f"environment {self.spec.id}", self.state, state)
        self._site.emit(EnvironmentChanged(self.spec.id, state.value, error_type, reason, self.pid))

    # Measures

    def measure(self, table: ProcessTable) -> None:
        """Take a look at its processes; end it when it has more memory than it may."""
        if not self.pid:
            return
        rows = table.tree(self.pid)
        memory = sum(row.memory for row in rows)
        if memory > EXACT_FROM * self.spec.memory:  # the sum counts what they share several times
            memory = proportional_memory(rows)
        gauge = self.gauge
        gauge.measure(sum(row.cpu for row in rows), memory)
        self._site.emit(
            EnvironmentMeasures(self.spec.id, gauge.cpu, memory, gauge.mean_in_use(), self._broker.polls, gauge.hot)
        )
        if gauge.over_memory and self._fault is None:
            message = f"{memory:.0f} MiB are used, {self.spec.memory} MiB are there"
            self._fault = OUT_OF_MEMORY, message
            self._broker.fail_running(OUT_OF_MEMORY, "Runtime exited with error: signal: killed")
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    # Inside

    def _init_record(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "initializationType": INITIALIZATION_TYPE,
            "phase": "init",
            "functionName": spec.function_name,
            "functionVersion": spec.qualifier,
            "instanceId": self._api.function.log_stream,
            "instanceMaxMemory": spec.memory * 1024 * 1024,
        }

    def _report_init(self, end: _End | None, seconds: float) -> None:
        record: dict[str, Any] = {"initializationType": INITIALIZATION_TYPE, "phase": "init", "status": "success"}
        if end is not None:
            record["status"] = "timeout" if end.error_type == faults.TIMED_OUT else "error"
            record["errorType"] = end.error_type
        self.log.platform("platform.initRuntimeDone", record)
        self.log.platform("platform.initReport", record | {"metrics": {"durationMs": round(seconds * 1000, 3)}})


class _End(NamedTuple):
    """How a life ended."""

    state: EnvironmentState
    error_type: str = ""
    reason: str = ""


def _configuration(spec: EnvironmentSpec) -> FunctionConfiguration:
    return FunctionConfiguration(
        name=spec.function_name,
        version=spec.qualifier,
        handler=spec.handler,
        memory_size=spec.memory,
        region=spec.region,
        account_id=spec.account_id,
        log_group=spec.log_group,
        log_stream=f"{datetime.now(UTC):%Y/%m/%d}/[{spec.qualifier}]{spec.id}",
        log_format="JSON",
        task_root=spec.code,
        initialization_type=INITIALIZATION_TYPE,
        max_concurrency=spec.slots,
    )


def _message(payload: bytes) -> str:
    """What a runtime says of its init error."""
    try:
        document: Any = json.loads(payload)
        return str(document["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return payload.decode("utf-8", "replace")
