"""The broker: who gets which invocation, and what an answer means.

Callers come in through `invoke`. The runtime's requests come in through `poll`, `begin_answer` and `error`, whatever
carries them; what is said back is a return value or a `Refusal`. The books are kept by the `Ledger`, the only clock is
the event loop's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from polylambda.rapi import headers as names
from polylambda.server import faults
from polylambda.server.answer import Answer, Sender
from polylambda.server.errors import BrokerClosed, InvalidInvocation
from polylambda.server.invocation import OUTCOMES, Invocation, Outcome, State
from polylambda.server.ledger import Attempt, Entry, Ledger
from polylambda.server.response import DEFAULT_STREAM_BUFFER, Response

if TYPE_CHECKING:
    from polylambda.server.errors import Refusal

__all__ = ["Broker", "Invocation", "Outcome", "Poll", "Response"]

MAX_POLLS = 10_000  # as many as AWS's server lets wait
MAX_TIMEOUT = 10 * 365 * 86_400  # seconds; a debugger may want one that never ends

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Poll(Protocol):
    """A runtime that waits for an invocation."""

    def deliver(self, attempt: Attempt) -> None:
        """Send it."""
        ...


class Broker:
    """Hand the invocations of one execution environment to its runtime, and the answers to their callers.

    Not thread-safe: it belongs to the event loop that it is used in.
    """

    def __init__(
        self,
        *,
        queue_limit: int = 1000,
        max_concurrency: int | None = None,
        response_limit: int = names.MAX_PAYLOAD,
        stream_limit: int = names.MAX_STREAM,
        stream_buffer: int = DEFAULT_STREAM_BUFFER,
    ) -> None:
        """Make a broker with nothing in it.

        Args:
            queue_limit: invocations that may wait for the runtime; 0 takes only what a poll is waiting for.
            max_concurrency: invocations that the runtime may hold at once, however many polls it sends; None: as
                many as it polls for.
            response_limit: bytes of a buffered response.
            stream_limit: bytes of a streamed response.
            stream_buffer: bytes of a stream that may wait for a slow caller before the runtime is held back.
        """
        self._ledger = Ledger(queue_limit=queue_limit, max_concurrency=max_concurrency)
        self._response_limit = response_limit
        self._stream_limit = stream_limit
        self._stream_buffer = stream_buffer
        self._polls: OrderedDict[Poll, None] = OrderedDict()
        self._init_failure: tuple[str, bytes] | None = None
        self._paused = False
        self._closed = False
        self._idle: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    # The callers' side

    async def invoke(self, invocation: Invocation) -> Response:
        """Have the runtime run `invocation`; return as soon as the head of its answer is known.

        A buffered answer is whole by then. An error of the function, a timeout and the death of the runtime are
        responses with an `error_type`, not exceptions. Cancelling takes a waiting invocation back; one that the runtime
        has already got runs on, and its answer is thrown away.

        Raises:
            QueueFull: too many invocations wait; tell the caller 429.
            BrokerClosed: the broker is, or was meanwhile, closed.
            DuplicateRequestId: this request id is waiting or running.
            InvalidInvocation: its metadata cannot travel in HTTP headers, or its timeout is none.
        """
        if self._closed:
            raise BrokerClosed("the environment is shut down: invoke another one")
        _check(invocation)
        response = Response(invocation.request_id, buffer_limit=self._stream_buffer)
        if self._init_failure is not None:
            _end(response, Outcome.FAILURE, *self._init_failure)
            return response
        entry = Entry(invocation, response)
        self._ledger.add(entry, idle_polls=0 if self._paused else len(self._polls))
        self._hand_out()
        try:
            await response.wait_for_head()
        except asyncio.CancelledError:
            if entry.state is State.QUEUED:
                self._ledger.end(entry, State.DROPPED)
            response.discard()
            raise
        if entry.state is State.DROPPED:
            raise BrokerClosed(f"the environment was shut down before invocation {invocation.request_id} ran")
        return response

    # The runtime's side

    def poll(self, poll: Poll) -> None:
        """Deliver the next invocation to `poll`, now or when there is one. Raises Refusal when there never will be."""
        if self._closed:
            raise faults.shutting_down()
        if len(self._polls) >= MAX_POLLS:
            raise faults.too_many_polls(MAX_POLLS)
        self._polls[poll] = None
        self._hand_out()

    def drop_poll(self, poll: Poll) -> None:
        """Forget a poll: it is dead."""
        self._polls.pop(poll, None)

    def give_back(self, attempt: Attempt) -> None:
        """Take back an invocation that was sent to a runtime which certainly never received it whole."""
        entry = self._ledger.put_back(attempt)
        if entry is None:
            return
        if entry.response.abandoned:
            self._ledger.end(entry, State.DROPPED)
        self._hand_out()

    def begin_answer(
        self, request_id: str, invocation_id: str, sender: Sender, *, content_type: str, mode: str | None
    ) -> Answer:
        """Begin the answer to an invocation.

        Args:
            request_id: of the invocation.
            invocation_id: of the attempt; empty when the runtime did not say.
            sender: what the answer comes from.
            content_type: of the answer.
            mode: the response mode header; None when absent, which means buffered.

        Raises:
            Refusal: there is no such invocation to answer (any more), or the mode does not exist.
        """
        entry = self._ledger.find(request_id, invocation_id)
        if entry.state is not State.DELIVERED:
            raise faults.invalid_request_id()
        if mode is not None and mode != "streaming":
            error_type = faults.INVALID_RESPONSE_MODE
            message = f"RequestId: {request_id} Error: the runtime sent an invalid response mode: {mode}"
            self._settle(entry, State.ERRORED, error_type, faults.error_payload(error_type, message))
            raise faults.invalid_response_mode()
        entry.step(State.ANSWERING)
        streamed = mode is not None
        limit = self._stream_limit if streamed else self._response_limit
        answer = Answer(entry, sender, self._settle, content_type, streamed=streamed, limit=limit)
        entry.answer = answer
        return answer

    def check_error(self, request_id: str, invocation_id: str) -> None:
        """Say, before its body is read, whether an error may be sent. Raises Refusal."""
        self._ledger.find(request_id, invocation_id)

    def error(self, request_id: str, invocation_id: str, error_type: str, payload: bytes) -> None:
        """Answer an invocation with an error, also in the middle of a stream. Raises Refusal as `begin_answer` does."""
        entry = self._ledger.find(request_id, invocation_id)
        self._settle(entry, State.ERRORED, faults.function_error_type(error_type), payload)

    # The environment's side

    def fail_running(self, error_type: str, reason: str) -> None:
        """Fail what the runtime holds: it is dead, for `reason`."""
        for entry in self._ledger.held:
            payload = faults.environment_payload(entry.invocation.request_id, error_type, reason)
            self._settle(entry, State.FAILED, error_type, payload)

    def fail_init(self, error_type: str, payload: bytes) -> None:
        """Fail what waits, and whatever comes until `revive`, with `payload`: the runtime could not start."""
        self._init_failure = (error_type, payload)
        for entry in self._ledger.waiting:
            self._settle(entry, State.FAILED, error_type, payload)

    def revive(self) -> None:
        """Forget that the runtime could not start: another one does."""
        self._init_failure = None

    def pause(self) -> None:
        """Hand nothing out until `resume`; what is invoked meanwhile waits."""
        self._paused = True

    def resume(self) -> None:
        """Hand out again."""
        self._paused = False
        self._hand_out()

    async def idle(self) -> None:
        """Wait until the runtime holds no invocation. It may be handed another at once, unless paused."""
        while self._ledger.busy:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def close(self) -> None:
        """Refuse what waits and what comes (`BrokerClosed`); what the runtime holds fails with `Sandbox.Failure`."""
        self._closed = True
        for entry in self._ledger.waiting:
            self._ledger.end(entry, State.DROPPED)
            entry.response.begin(names.JSON, streamed=False)
        self.fail_running(faults.SANDBOX_FAILURE, "The execution environment was shut down")
        if self._timer is not None:
            self._timer.cancel()

    # Inside

    def _hand_out(self) -> None:
        polls = self._polls
        if not polls or self._paused:
            return
        ledger = self._ledger
        while polls and ledger.can_take():
            poll, _ = polls.popitem(last=False)
            loop = asyncio.get_running_loop()
            attempt = ledger.take(loop.time(), time.time())
            self._arm(loop, attempt.deadline)
            poll.deliver(attempt)

    def _settle(self, entry: Entry, state: State, error_type: str | None, payload: bytes) -> None:
        """End an invocation; `payload` is the error's JSON."""
        self._ledger.end(entry, state)
        _end(entry.response, OUTCOMES[state], error_type, payload)
        answer, entry.answer = entry.answer, None
        if answer is not None and not answer.over:
            answer.cut(self._refusal_after(entry, state))
        if self._idle and not self._ledger.busy:
            self._tell_idle()
        self._hand_out()

    def _refusal_after(self, entry: Entry, state: State) -> Refusal:
        """What an answer is told whose invocation came to an end without it."""
        if state is State.TIMED_OUT:
            self._ledger.forget_late(entry.invocation.request_id)
            return faults.invoke_timeout()
        return faults.invalid_request_id()

    def _tell_idle(self) -> None:
        waiters, self._idle = self._idle, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _arm(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Have one timer run at the earliest deadline.

        It is not taken back when an invocation is answered in time: most are, and a timer that finds nothing due only
        looks for the next deadline.
        """
        timer = self._timer
        if timer is not None:
            if timer.when() <= deadline:
                return
            timer.cancel()
        self._timer = loop.call_at(deadline, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for entry in self._ledger.due(loop.time()):
            self._settle(entry, State.TIMED_OUT, faults.TIMED_OUT, faults.timeout_payload(entry.invocation.timeout))
        following = self._ledger.next_deadline()
        if following is not None:
            self._arm(loop, following)


def _end(response: Response, outcome: Outcome, error_type: str | None, payload: bytes) -> None:
    """End a response; the JSON of an error is its body, unless it has another already."""
    if not response.has_head:
        response.begin(names.JSON, streamed=False)
        response.feed(payload)
        payload = b""
    response.end(outcome, error_type, payload)


def _check(invocation: Invocation) -> None:
    """Refuse what cannot be delivered. Line ends in JSON are only layout: they are replaced when it is sent."""
    texts = (
        invocation.request_id,
        invocation.content_type,
        invocation.invoked_function_arn,
        invocation.trace_id,
        invocation.tenant_id,
    )
    documents = invocation.client_context + invocation.identity
    # These two questions are cheap, and settle nearly every case.
    if not ("".join(texts).isprintable() and documents.isascii()):
        for text in (*texts, documents):
            if not _is_unicode(text) or (text is not documents and _CONTROL.search(text) is not None):
                raise InvalidInvocation(f"a header cannot carry control characters or half characters: {text!r}")
    if not invocation.request_id:
        raise InvalidInvocation("an invocation needs a request id; leave request_id out to have one made up")
    if not 0 < invocation.timeout < MAX_TIMEOUT:
        raise InvalidInvocation(
            f"a timeout is more than 0 and less than {MAX_TIMEOUT} seconds, not {invocation.timeout}"
        )


def _is_unicode(text: str) -> bool:
    """Say whether the text can be encoded: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
