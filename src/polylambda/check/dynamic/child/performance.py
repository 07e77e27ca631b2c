"""One run of the handler under the managed runtime, in this process."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import tempfile
from collections.abc import Awaitable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from polylambda import loop, safety
from polylambda.check.dynamic.child import baton as batons
from polylambda.check.dynamic.child import state
from polylambda.check.dynamic.child.baton import Baton
from polylambda.check.dynamic.child.loop import SeededLoop
from polylambda.check.dynamic.child.meeting import Meeting, Part
from polylambda.check.dynamic.child.notes import Notes
from polylambda.check.dynamic.child.onlooker import Onlooker
from polylambda.check.dynamic.child.stage import Stage
from polylambda.check.dynamic.child.tracing import Tracer, marks_in
from polylambda.check.dynamic.child.watch import Watch
from polylambda.check.dynamic.project import Project
from polylambda.handlers import Middleware, Waist, compile_handler
from polylambda.rapi.address import Address
from polylambda.runtime.loading import load_handler
from polylambda.runtime.managed import LambdaManagedRuntime
from polylambda.runtime.platform import post_init_error
from polylambda.runtime.runtime import as_runtime
from polylambda.settings import Settings

if TYPE_CHECKING:
    from polylambda.check.dynamic.assignment import Assignment
    from polylambda.context import LambdaContext
    from polylambda.response import ResponseStream


class Performance:
    """The run that an assignment asks for."""

    def __init__(self, assignment: Assignment) -> None:
        """Prepare this process; nothing of the handler is imported yet."""
        self._assignment = assignment
        self._settings = Settings(dict(assignment.environ))
        self._project = Project(assignment.root)
        self._notes = Notes(assignment.notes)
        self._stage = Stage(assignment)
        self._onlooker = Onlooker(self._project, self._stage, self._notes)
        self._baton = None if assignment.mode == "task" else Baton(self._stage)
        # In a process of its own an invocation has the context of those before it, as under the runtime.
        alone = assignment.mode == "process"
        self._meeting = None if self._baton is None or alone else Meeting(self._stage, self._baton)
        self._watch = Watch(self._project, self._stage, self._notes, assignment, self._baton)
        self._is_async = False
        self._measured: list[dict[str, Any]] = []
        self._held: dict[int, Any] = {}
        self._loop: SeededLoop | None = None
        self._futures: dict[int, Any] = {}

    def run(self) -> None:
        """Serve invocations until SIGTERM; then note what is left."""
        assignment = self._assignment
        os.chdir(assignment.root)
        sys.path.insert(0, assignment.root)
        tempfile.tempdir = None
        random.seed(f"{assignment.seed}/{assignment.folder}")
        if self._baton is not None:
            batons.install(self._baton)
        gc.freeze = lambda: None  # the state of the handler is to be looked through
        loop.factory = lambda: self._make_loop
        safety.is_declared_safe = lambda _: True  # whether it is safe is what we find out
        self._onlooker.install()
        if assignment.switching or assignment.returns or assignment.lines:
            switching = self._baton if assignment.switching else None
            tracer = Tracer(self._project, self._stage, self._notes, baton=switching, lines=assignment.lines)
            tracer.install()
        else:
            tracer = None
        self._watch.start()
        runtime = self._load()
        if tracer is not None:
            tracer.prepare()
        runtime.run()
        self._end()

    def _load(self) -> LambdaManagedRuntime:
        assert self._settings.runtime_api is not None
        try:
            described = as_runtime(load_handler(self._assignment.target))
            handler = compile_handler(described.handler, described.middleware)
        except Exception as error:
            post_init_error(Address(self._settings.runtime_api), error)
            raise SystemExit(1) from None
        self._notes.write(
            "handler",
            site=self._project.definition(described.handler, self._assignment.target),
            asynchronous=handler.is_async,
        )
        self._is_async = handler.is_async
        around: Middleware = self._around_async if handler.is_async else self._around
        return LambdaManagedRuntime(
            described.handler,
            concurrency=self._assignment.mode,  # pyright: ignore[reportArgumentType] # the runtime checks it
            lifespan=described.lifespan,
            middleware=[around, *described.middleware],
            settings=self._settings,
        )

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        assert self._settings.runtime_api is not None
        if not self._is_async:  # a handler that hides coroutines has a loop for each thread
            return asyncio.SelectorEventLoop()
        made = SeededLoop(self._stage, self._settings.runtime_api)
        if self._loop is None:  # the runtime's; others are the handler's own
            self._loop = made
            self._watch.follow(made)
        return made

    def _around(self, payload: bytes, response: ResponseStream, context: LambdaContext, call_next: Waist) -> None:
        number = self._begin(context)
        baton, meeting = self._baton, self._meeting
        assert baton is not None

        def call() -> None:
            baton.enter(number)
            self._onlooker.begin(number)
            try:
                call_next(payload, response, context)
            except (SystemExit, KeyboardInterrupt) as end:
                self._exit(number, end)
            finally:
                baton.leave()
                self._finish(number)

        if meeting is None:
            self._stage.arrive(number)
            call()
            return
        mine = Part(number, call)
        meeting.meet(context.slot, mine).run()
        mine.finish()

    async def _around_async(
        self, payload: bytes, response: ResponseStream, context: LambdaContext, call_next: Waist
    ) -> None:
        number = self._begin(context)
        await self._arrive(number)
        self._onlooker.begin(number)
        try:
            handling = call_next(payload, response, context)
            assert isinstance(handling, Awaitable)
            await handling
        except (SystemExit, KeyboardInterrupt) as end:
            self._exit(number, end)
        finally:
            self._finish(number)

    async def _arrive(self, number: int) -> None:
        """Wait for the others of the wave; which of them goes first is up to the loop."""
        assert self._loop is not None
        mine = self._futures[number] = self._loop.create_future()
        if self._stage.arrive(number):
            self._loop.call_soon(self._let_go, context=Context())  # whoever comes last has no advantage
        await mine

    def _let_go(self) -> None:
        for each in sorted(self._futures):
            self._futures.pop(each).set_result(None)

    def _begin(self, context: LambdaContext) -> int:
        number = self._stage.number(context.aws_request_id)
        assert number is not None, "every invocation of a run has a number"
        if number in self._assignment.probes:
            self._measured.append({"number": number, **state.measure(self._project, self._held)})
        return number

    def _finish(self, number: int) -> None:
        self._onlooker.end(number)
        self._stage.leave(number)
        self._notes.write("ended", number=number)

    def _exit(self, number: int, end: BaseException) -> None:
        """End as the process would; it would wait for the others first, who may wait for this one."""
        trace, site = end.__traceback__, None
        while trace is not None:
            if self._project.owns(trace.tb_frame.f_code.co_filename):
                site = self._project.relative(trace.tb_frame.f_code.co_filename), trace.tb_lineno, "handler"
            trace = trace.tb_next
        self._notes.write("exited", number=number, site=site, error=f"{type(end).__name__}: {end}")
        os._exit(end.code if isinstance(end, SystemExit) and isinstance(end.code, int) else 1)

    def _end(self) -> None:
        """Note what is left, when no invocation is under way any more."""
        if self._measured:
            self._notes.write("measured", points=self._measured, names=self._names())
        if self._assignment.lines:
            self._notes.write("kept", places=state.places(self._project, self._stage))

    def _names(self) -> dict[str, str]:
        """The names of what has kept growing."""
        sizes = [point["sizes"] for point in self._measured]
        share = (self._measured[-1]["number"] - self._measured[0]["number"]) / 4
        growing = {
            name
            for name, size in sizes[-1].items()
            if sizes[0].get(name, 0) < sizes[len(sizes) // 2].get(name, 0) < size
            and size - sizes[0].get(name, 0) >= share
        }
        for point in self._measured:
            point["sizes"] = {name: size for name, size in point["sizes"].items() if name in growing}
        wanted = {int(name) for name in growing}
        found = state.where(self._project, wanted, everywhere=self._assignment.thorough)
        named = {str(each): name for each, name in found.items()}
        for name in growing - named.keys():  # kept where Python does not show it; only what is certainly theirs
            if len(marks_in(self._held[int(name)], self._stage, 3, wide=True)) > 1:
                named[name] = f"a {type(self._held[int(name)]).__name__} that no module leads to"
        return named


def perform(assignment: Assignment) -> None:
    """Do what is assigned; end this process."""
    status = 0
    try:
        os.environ.update(assignment.environ)
        Performance(assignment).run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        signal.alarm(0)
        os._exit(status)  # the handler's threads may never end
