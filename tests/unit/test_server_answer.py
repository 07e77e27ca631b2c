"""What an answer means: buffered and streamed, too large, broken off, late, and in the wrong mode."""

from __future__ import annotations

import base64

import pytest

from polylambda.server.broker import Broker, Outcome
from polylambda.server.errors import Refusal
from tests.unit import virtual_loop
from tests.unit.fake_runtime import Sender, answer, begin, error_of, invoke, polls, refused

# Answers


@pytest.mark.parametrize("mode", [None, "streaming"])
def test_a_second_answer_is_refused(mode: str | None) -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", mode)
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a", mode)
        assert refused(refusal) == (400, "InvalidRequestID")
        upload.write(b"first")
        upload.finish({})
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a", mode)
        assert refused(refusal) == (400, "InvalidRequestID")
        with pytest.raises(Refusal) as refusal:
            broker.error("a", "", "Function.Error", b"{}")
        assert refused(refusal) == (400, "InvalidRequestID")
        assert await (await call).read() == b"first"

    virtual_loop.run(main())


def test_an_unknown_id_changes_nothing() -> None:  # E56
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        for attempt in (lambda: begin(broker, "b"), lambda: broker.error("b", "", "Function.Error", b"{}")):
            with pytest.raises(Refusal) as refusal:
                attempt()
            assert refused(refusal) == (400, "InvalidRequestID")
        answer(broker, "a")
        assert (await call).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_the_attempt_must_be_the_right_one_if_it_is_named() -> None:
    async def main() -> None:
        broker = Broker()
        (poll,) = polls(broker, 1)
        call = await invoke(broker, "a")
        assert poll.attempt is not None
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a", attempt="another")
        assert refused(refusal) == (400, "InvalidInvocationId")
        upload = begin(broker, "a", attempt=poll.attempt.invocation_id)
        upload.finish({})
        response = await call
        assert (response.outcome, await response.read()) == (Outcome.SUCCESS, b"")

    virtual_loop.run(main())


@pytest.mark.parametrize("mode", ["buffered", "", "Streaming", "bogus"])
def test_a_wrong_response_mode_is_refused_and_the_caller_is_told(mode: str) -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a", mode)
        assert refused(refusal) == (400, "InvalidFunctionResponseMode")
        response = await call
        assert (response.outcome, response.error_type) == (Outcome.ERROR, "Runtime.InvalidResponseModeHeader")
        assert error_of(await response.read())[0] == "Runtime.InvalidResponseModeHeader"

    virtual_loop.run(main())


def test_an_error_is_passed_on_word_for_word() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        broker.error("a", "", "Function.MyError", b'{"errorMessage": "bad"}')
        response = await call
        assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.MyError")
        assert await response.read() == b'{"errorMessage": "bad"}'
        assert response.content_type == "application/json"

    virtual_loop.run(main())


@pytest.mark.parametrize("excess", ["announced", "written"])
def test_a_buffered_answer_over_the_limit_is_refused_and_the_caller_is_told(excess: str) -> None:
    async def main() -> None:
        broker = Broker(response_limit=10)
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a")
        upload.expect(10)
        upload.write(b"1234567890" if excess == "written" else b"")
        with pytest.raises(Refusal) as refusal:
            upload.write(b"1") if excess == "written" else upload.expect(11)
        assert refused(refusal) == (413, "RequestEntityTooLarge")
        assert str(refusal.value.message) == "Exceeded maximum allowed payload size (10 bytes)."
        assert refusal.value.fatal
        response = await call
        assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.ResponseSizeTooLarge")
        message = "Response payload size exceeded maximum allowed payload size (10 bytes)."
        assert error_of(await response.read()) == ("Function.ResponseSizeTooLarge", message)

    virtual_loop.run(main())


def test_a_buffered_answer_at_the_limit_is_taken() -> None:
    async def main() -> None:
        broker = Broker(response_limit=10)
        polls(broker, 1)
        call = await invoke(broker, "a")
        answer(broker, "a", b"1234567890")
        assert await (await call).read() == b"1234567890"

    virtual_loop.run(main())


def test_a_buffered_answer_that_breaks_off_is_an_error_and_nothing_else() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a")
        upload.write(b"half an ans")
        upload.truncate()
        response = await call
        assert (response.outcome, response.error_type) == (Outcome.TRUNCATED, "Runtime.TruncatedResponse")
        assert error_of(await response.read())[0] == "Runtime.TruncatedResponse"

    virtual_loop.run(main())


# Streams


def test_a_stream_is_known_by_its_head_and_arrives_in_pieces() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming")
        response = await call
        assert (response.streamed, response.outcome, response.content_type) == (True, Outcome.PENDING, "text/plain")
        pieces = response.__aiter__()
        for piece in (b"one", b"two"):
            assert upload.write(piece)
            assert await anext(pieces) == piece
        upload.finish({})
        assert [piece async for piece in pieces] == []
        assert (response.outcome, response.error_type) == (Outcome.SUCCESS, None)

    virtual_loop.run(main())


def test_a_slow_caller_holds_the_runtime_back() -> None:
    async def main() -> None:
        broker = Broker(stream_buffer=10)
        polls(broker, 1)
        sender = Sender()
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming", sender)
        assert upload.write(b"1234567890")
        assert not upload.write(b"1")
        response = await call
        pieces = response.__aiter__()
        assert await anext(pieces) == b"1234567890"
        assert sender.resumed == 1
        upload.finish({})
        assert [piece async for piece in pieces] == [b"1"]

    virtual_loop.run(main())


def test_an_error_in_the_trailers_reaches_the_caller_behind_the_data() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming")
        upload.write(b"some")
        body = b'{"errorMessage": "\xc3\xbc"}'
        upload.finish(
            {
                "lambda-runtime-function-error-type": "Function.Broke",
                "lambda-runtime-function-error-body": base64.b64encode(body).decode(),
            }
        )
        response = await call
        assert await response.read() == b"some"
        assert (response.outcome, response.error_type, response.error_body) == (Outcome.ERROR, "Function.Broke", body)

    virtual_loop.run(main())


def test_an_error_body_that_is_not_base64_is_dropped_and_the_type_kept() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming")
        trailers = {"lambda-runtime-function-error-type": "wrong", "lambda-runtime-function-error-body": "***"}
        upload.finish(trailers)
        response = await call
        assert (response.error_type, response.error_body) == ("Runtime.Unknown", b"")

    virtual_loop.run(main())


def test_an_error_post_in_the_middle_of_a_stream_cuts_it() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        sender = Sender()
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming", sender)
        upload.write(b"some")
        broker.error("a", "", "Function.Broke", b"{}")
        response = await call
        assert await response.read() == b"some"
        assert (response.outcome, response.error_type, response.error_body) == (Outcome.ERROR, "Function.Broke", b"{}")
        assert sender.refusals == [(400, "InvalidRequestID")]

    virtual_loop.run(main())


def test_a_timeout_in_the_middle_of_a_stream_ends_it_and_tells_the_runtime() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        sender = Sender()
        call = await invoke(broker, "a", 2.0)
        begin(broker, "a", "streaming", sender).write(b"some")
        response = await call
        assert await response.read() == b"some"
        assert (response.outcome, response.error_type) == (Outcome.TIMEOUT, "Sandbox.Timedout")
        assert error_of(response.error_body) == ("Sandbox.Timedout", "Task timed out after 2.00 seconds")
        assert sender.refusals == [(410, "InvokeTimeout")]
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a")
        assert refused(refusal) == (400, "InvalidRequestID")

    virtual_loop.run(main())


def test_a_stream_that_breaks_off_is_truncated() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming")
        upload.write(b"some")
        upload.truncate()
        response = await call
        assert await response.read() == b"some"
        assert (response.outcome, response.error_type) == (Outcome.TRUNCATED, "Runtime.TruncatedResponse")

    virtual_loop.run(main())


def test_a_stream_over_the_limit_is_cut() -> None:
    async def main() -> None:
        broker = Broker(stream_limit=4)
        polls(broker, 1)
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming")
        upload.write(b"1234")
        with pytest.raises(Refusal) as refusal:
            upload.write(b"5")
        assert refused(refusal) == (413, "RequestEntityTooLarge")
        response = await call
        assert await response.read() == b"1234"
        assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.ResponseSizeTooLarge")

    virtual_loop.run(main())


def test_a_caller_that_hangs_up_in_a_stream_does_not_disturb_the_runtime() -> None:
    async def main() -> None:
        broker = Broker(stream_buffer=1)
        polls(broker, 1)
        sender = Sender()
        call = await invoke(broker, "a")
        upload = begin(broker, "a", "streaming", sender)
        assert not upload.write(b"some")
        await (await call).aclose()
        assert sender.resumed == 1
        assert upload.write(b"more")
        upload.finish({})
        assert sender.refusals == []

    virtual_loop.run(main())
