"""What is left to do when a handler has ended: the rules that blocking and asynchronous workers share."""

from __future__ import annotations

from polylambda import logs
from polylambda.errors import ResponseError, RuntimeApiError
from polylambda.response import FINISHED, OPEN, PRELUDE, STREAMING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from polylambda.report import ErrorReport
    from polylambda.response import ResponseStream

ANSWER: Final = "answer"  # send the result
FINISH: Final = "finish"  # end the stream that the handler left open
NOTHING: Final = "nothing"  # the handler has answered
ERROR: Final = "error"  # answer with the error
ABORT: Final = "abort"  # cut the stream short with the error
LATE: Final = "late"  # it failed after its answer: the log is all there is to tell
LOST: Final = "lost"  # the platform would not take the stream, or was gone


def verdict(response: ResponseStream, failure: BaseException | None) -> str:
    """Say what is left to do for a handler that ended with `failure`, or without one."""
    if failure is None:
        if response.body is not None:
            return ANSWER
        if response.state is FINISHED:
            return NOTHING
        return ERROR if response.state is OPEN else FINISH
    response.take_back()
    if response.state is OPEN or response.state is PRELUDE:
        return ERROR
    if isinstance(failure, RuntimeApiError):
        return LOST
    return ABORT if response.state is STREAMING else LATE


def unanswered(name: str) -> ResponseError:
    """Return the error of a handler that took a response and wrote nothing to it."""
    return ResponseError("unanswered", f"handler {name} ended without writing a response")


def tell(failure: BaseException, request_id: str = "") -> ErrorReport:
    """Write `failure` to the log as AWS's runtime does, and return what the platform is to be told."""
    from polylambda.report import report

    told = report(failure, request_id)
    logs.log_error(told)
    return told
