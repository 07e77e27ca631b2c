"""The hands of the reconciler: they launch, start, drain and terminate, and take in what agents tell.

Every step is a state of `polylambda.plane.states`. What takes time is a task of its own, and none of them waits for another:
an instance that does not answer holds up nothing but itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from polylambda.errors import PolylambdaError
from polylambda.plane.agent.protocol import EnvironmentChanged, EnvironmentMeasures, Event, InstanceMeasures, LogRecord
from polylambda.plane.agent_client import AgentError, AgentLost
from polylambda.plane.fleet import Environment, Fleet, Host, Revision
from polylambda.plane.specs import EnvironmentSpec, InstanceSpec
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from polylambda.plane.clock import Clock
    from polylambda.plane.facts import Launch, Start
    from polylambda.plane.journal import Journal
    from polylambda.plane.options import PlaneOptions
    from polylambda.plane.providers import InstanceProvider
    from polylambda.plane.records import Document, ProviderRecord
    from polylambda.plane.router import Router

DRAIN_GRACE = 1.0
"""Real seconds that a draining environment has beyond the timeout of its function."""

SETTLING = 2.0
"""Real seconds after which the CPU of an environment counts: its agent measures every second, and what was before."""


class Crew:
    """Carries out decisions on a fleet, until `end` terminates every instance.

    Attributes:
        region: AWS region that the plane says it is.
        on_change: is called when something happened that the reconciler should know soon.
        on_init_failed: is called with a revision, an error type and a reason when the init of an environment failed.
    """

    def __init__(
        self,
        fleet: Fleet,
        router: Router,
        provider: InstanceProvider,
        journal: Journal,
        clock: Clock,
        options: PlaneOptions,
    ) -> None:
        """Launch instances with `provider`."""
        self._fleet = fleet
        self._router = router
        self._provider = provider
        self._journal = journal
        self._clock = clock
        self._options = options
        self._records: dict[str, ProviderRecord] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._told_about_cpu: set[str] = set()
        self._launching: dict[str, asyncio.Task[None]] = {}
        self.region = options.region
        self.on_change: Callable[[], None] = lambda: None
        self.on_init_failed: Callable[[Revision, str, str], None] = _ignore

    async def end(self, *, drain: float) -> None:
        """Terminate every instance; their environments have `drain` real seconds for what they hold."""
        for host in list(self._fleet.hosts.values()):
            self.terminate(host.id, drain=drain)
        while self._tasks:
            await asyncio.wait(self._tasks)

    # What is decided

    def launch(self, launch: Launch, record: ProviderRecord | None) -> None:
        """Launch an instance of the capacity provider `record`."""
        if record is None:
            return
        self._records[record.name] = record
        host = Host(launch.id, launch.provider, launch.type, launch.zone, self._clock.now())
        self._fleet.add_host(host)
        self._launching[host.id] = self._spawn(self._launch(host), f"launch of {host.id}")

    def start(self, start: Start, revision: Revision) -> None:
        """Start an environment, as soon as its instance is Running."""
        host = self._fleet.hosts.get(start.instance)
        if host is None or host.ending or host.state not in (InstanceState.PENDING, InstanceState.RUNNING):
            return
        environment = Environment(start.id, revision, start.instance)
        self._fleet.add_environment(environment)
        if host.state is InstanceState.RUNNING:
            self._send(host, environment)

    def drain(self, name: str) -> None:
        """Give an environment no more invocations, and stop it when it has none."""
        environment = self._fleet.environments.get(name)
        if environment is None or environment.leaving or environment.ended:
            return
        environment.leaving = True
        self._router.remove(name)
        if environment.state is EnvironmentState.READY:
            environment.become(EnvironmentState.DRAINING)
        host = self._fleet.hosts[environment.instance]
        if environment.sent:
            self._spawn(self._stop(host, environment), f"stop of environment {name}")
        else:
            self._ended(environment, EnvironmentState.STOPPED)

    def drain_instance(self, name: str) -> None:
        """Place nothing more on an instance; what is on it is drained by decisions of its own."""
        host = self._fleet.hosts.get(name)
        if host is not None and host.state is InstanceState.RUNNING:
            host.become(InstanceState.DRAINING)

    def terminate(self, name: str, *, drain: float = 0.0) -> None:
        """End an instance, with whatever still runs on it."""
        host = self._fleet.hosts.get(name)
        if host is None or host.ending:
            return
        host.ending = True
        for environment in host.environments.values():
            self._router.remove(environment.id)
        if host.state is InstanceState.RUNNING:
            host.become(InstanceState.DRAINING)
        self._tell(host, "Terminating")
        self._spawn(self._terminate(host, drain), f"end of {name}")

    def forget_ended(self) -> None:
        """Forget the environments that have ended, once the scaler was told of them."""
        for environment in [each for each in self._fleet.environments.values() if each.ended]:
            self._fleet.remove_environment(environment)

    # How it is done

    async def _launch(self, host: Host) -> None:
        spec = InstanceSpec(
            id=host.id,
            capacity_provider=host.provider,
            instance_type=host.type.name,
            zone=host.zone,
            vcpus=host.type.vcpus,
            memory=host.type.memory,
            cores_per_vcpu=self._options.cores_per_vcpu,
        )
        self._tell(host, "Launching")
        try:
            host.instance = await self._provider.launch(
                spec, on_event=partial(self._event, host), on_lost=partial(self._lost, host)
            )
        except Exception as error:  # whatever it is: an instance must not be Pending for ever
            if host.state is InstanceState.PENDING:
                host.become(InstanceState.FAILED)
            self._tell(host, f"LaunchFailed: {self._why(error, f'launch of {host.id}')}", level="WARN")
            self._abandon(host)
            self.on_change()
            return
        finally:
            del self._launching[host.id]
        if host.ending or host.state is not InstanceState.PENDING:
            return
        host.become(InstanceState.RUNNING)
        self._tell(host, "Launched")
        self._tell_about_cpu(host)
        for environment in list(host.environments.values()):
            if not environment.ended:
                self._send(host, environment)
        self.on_change()

    def _send(self, host: Host, environment: Environment) -> None:
        environment.sent = True
        self._spawn(self._start(host, environment), f"start of environment {environment.id}")

    async def _start(self, host: Host, environment: Environment) -> None:
        assert host.client is not None
        try:
            await host.client.start_environment(self._spec(environment))
        except AgentLost:
            pass  # whoever follows the agent's events hears of it too
        except Exception as error:  # whatever it is: an environment must not be Starting for ever
            reason = self._why(error, f"start of environment {environment.id}")
            self._init_failed(environment, "Sandbox.Failure", reason)

    async def _stop(self, host: Host, environment: Environment) -> None:
        assert host.client is not None
        try:
            await host.client.stop_environment(environment.id, drain=environment.revision.record.timeout + DRAIN_GRACE)
        except (AgentLost, AgentError):
            pass  # the agent is gone, and the environment with it
        except Exception as error:  # as above: nor Draining
            self._why(error, f"stop of environment {environment.id}")
            if not environment.ended:
                self._ended(environment, EnvironmentState.DEAD)

    async def _terminate(self, host: Host, drain: float) -> None:
        launching = self._launching.get(host.id)
        if launching is not None:
            await asyncio.wait([launching])
        message, level = "Terminated", "INFO"
        try:
            if host.instance is not None:
                await host.instance.terminate(drain=drain)
        except Exception as error:  # it counts as gone: more cannot be done about it
            message, level = f"TerminateFailed: {self._why(error, f'end of {host.id}')}", "WARN"
        self._abandon(host)
        host.become(InstanceState.TERMINATED)
        self._fleet.remove_host(host)
        self._tell(host, message, level=level)
        self.on_change()

    def _spec(self, environment: Environment) -> EnvironmentSpec:
        record = environment.revision.record
        document = record.document
        variables: Document = document.get("Environment") or {}
        logging: Document = document.get("LoggingConfig") or {}
        storage: Document = document.get("EphemeralStorage") or {}
        return EnvironmentSpec(
            id=environment.id,
            function_name=record.function_name,
            qualifier=record.qualifier,
            code=record.code,
            runtime=document.get("Runtime", ""),
            handler=document.get("Handler", ""),
            variables=variables.get("Variables") or {},
            memory=record.memory,
            vcpus=record.vcpus,
            slots=record.slots,
            timeout=record.timeout,
            region=self._options.region,
            account_id=self._options.account_id,
            log_group=logging.get("LogGroup", ""),
            tmp_size=storage.get("Size", 512),
            application_log_level=logging.get("ApplicationLogLevel", "INFO"),
            system_log_level=logging.get("SystemLogLevel", "INFO"),
        )

    # What agents tell

    def _event(self, host: Host, event: Event) -> None:
        """Take in what the agent of `host` tells."""
        if isinstance(event, InstanceMeasures):
            host.cpu = event.cpu
            host.memory_used = event.memory
            return
        environment = self._fleet.environments.get(event.id)
        if environment is None:
            return
        match event:
            case LogRecord():
                write = self._journal.function_once if event.once else self._journal.function
                write(environment.revision.record.function_name, bytes(event.record))
            case EnvironmentMeasures():
                environment.measure(event.cpu, event.memory, event.hot, counts=self._has_settled(environment))
                if environment.state is EnvironmentState.READY:
                    self._router.observe(environment.id, polls=event.polls, hot=event.hot, cpu=event.cpu)
            case EnvironmentChanged():
                self._changed(host, environment, event)

    def _has_settled(self, environment: Environment) -> bool:
        """Say whether the CPU that an environment uses is load by now: what its imports used is measured late."""
        ready = environment.state is EnvironmentState.READY
        return ready and self._clock.real(self._clock.now() - environment.ready_at) >= SETTLING

    def _changed(self, host: Host, environment: Environment, event: EnvironmentChanged) -> None:
        state = EnvironmentState(event.state)
        if environment.ended:
            return
        if event.pid:
            environment.pid = event.pid
        if state is EnvironmentState.READY and environment.state is EnvironmentState.STARTING:
            environment.become(state)
            environment.measure_from(self._clock.now())
            if environment.leaving or host.ending:
                environment.become(EnvironmentState.DRAINING)
            else:
                self._router.add(
                    environment.revision.id, environment.id, zone=host.zone, limit=environment.revision.record.slots
                )
            self.on_change()
        elif state is EnvironmentState.FAILED:
            self._init_failed(environment, event.error_type, event.reason)
        elif state in (EnvironmentState.DEAD, EnvironmentState.STOPPED):
            self._ended(environment, state)

    def _init_failed(self, environment: Environment, error_type: str, reason: str) -> None:
        if environment.state is EnvironmentState.STARTING:
            self.on_init_failed(environment.revision, error_type, reason)
            self._ended(environment, EnvironmentState.FAILED)

    def _lost(self, host: Host, reason: str) -> None:
        """Take in that an agent is gone: its instance is unhealthy, and what was on it dead."""
        if host.ending:
            return
        if host.state is InstanceState.PENDING:
            host.become(InstanceState.FAILED)
        elif host.state in (InstanceState.RUNNING, InstanceState.DRAINING):
            host.become(InstanceState.UNHEALTHY)
        self._tell(host, f"HealthCheckFailed: {reason}", level="WARN")
        self._abandon(host)
        self.on_change()

    def _abandon(self, host: Host) -> None:
        """Count everything on an instance that has ended as dead."""
        for environment in list(host.environments.values()):
            if not environment.ended:
                self._ended(environment, EnvironmentState.DEAD)

    def _ended(self, environment: Environment, state: EnvironmentState) -> None:
        self._router.remove(environment.id)
        environment.become(state)
        self.on_change()

    # Around it

    def _tell(self, host: Host, message: str, *, level: str = "INFO") -> None:
        """Write an event of an instance into the log of its capacity provider."""
        record = self._records.get(host.provider)
        if record is None:
            return
        telemetry: Document = record.document.get("TelemetryConfig") or {}
        logging: Document = telemetry.get("LoggingConfig") or {}
        self._journal.provider(
            host.provider,
            message,
            arn=record.arn,
            instance=host.id,
            zone=host.zone,
            instance_type=host.type.name,
            level=level,
            threshold=logging.get("SystemLogLevel", "INFO"),
        )

    def _tell_about_cpu(self, host: Host) -> None:
        """Say once for each capacity provider how environments are held to their vCPUs: not every machine can do it."""
        sentence: str = getattr(host.instance, "cpu", "")
        if sentence and host.provider not in self._told_about_cpu:
            self._told_about_cpu.add(host.provider)
            self._tell(host, sentence)

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _report_defect(task.get_name(), error)

    def _why(self, error: Exception, what: str) -> str:
        """Put into words why `what` failed; report what is not the machine's fault but ours."""
        if isinstance(error, (PolylambdaError, OSError)):
            return str(error)
        _report_defect(what, error)
        return f"{type(error).__name__}: {error}"


def _report_defect(what: str, error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"a defect of polylambda: {what} failed", "exception": error}
    )


def _ignore(_revision: Revision, _error_type: str, _reason: str) -> None:
    """Nobody wants to know."""
