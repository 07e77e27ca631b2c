"""Where a process writes what it has to say: logging, the standard streams, warnings."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

LOGGING = Rule(
    id="LMI209",
    name="logging-reconfigured",
    summary="Logging is reconfigured for the whole process.",
    why={
        Mode.TASK: "loggers, handlers and levels are the same objects for all invocations",
        Mode.THREAD: "loggers, handlers and levels are the same objects for all invocations",
    },
    production=(
        "One request asks for debug output, and all of them write it, with everything that is in their events; the log "
        "costs more than the function. A handler that is added in each invocation writes each line once more than the "
        "one before. Keys that were put on the logger name the wrong customer in the lines of others."
    ),
    fix=(
        "Configure logging at import. What belongs to a request goes into the record, by `extra=` or a "
        "`logging.LoggerAdapter`, or into a context variable that a filter or a record factory, set at import, reads. "
        "The runtime adds the request id to every record by itself."
    ),
    unsafe=code(
        """
        import logging

        logger = logging.getLogger()


        def handler(event, context):
            if event.get("debug"):
                logger.setLevel(logging.DEBUG)
            logger.debug("event %s", event)
        """
    ),
    safe=code(
        """
        import logging

        logger = logging.getLogger()
        logger.setLevel(logging.INFO)


        def handler(event, context):
            level = logging.INFO if event.get("debug") else logging.DEBUG
            logger.log(level, "event %s", event)
        """
    ),
)

STREAM = Rule(
    id="LMI210",
    name="standard-stream-replaced",
    summary="sys.stdout, sys.stderr or sys.stdin is replaced for the whole process.",
    why={
        Mode.TASK: "what others print meanwhile ends up here, and is missing from the log",
        Mode.THREAD: "what others print meanwhile ends up here, and is missing from the log",
    },
    production=(
        "An answer contains log lines of other requests. Two invocations that put the stream back in the wrong order "
        "leave a closed or forgotten one behind, and from then on nothing is logged."
    ),
    fix=(
        "Print into a file that is an argument, `print(..., file=printed)`. A library that only prints is run as a child "
        "process with `capture_output=True`, or in `process` mode."
    ),
    unsafe=code(
        """
        import contextlib
        import io
        import pprint


        def handler(event, context):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                pprint.pprint(event)
            return printed.getvalue()
        """
    ),
    safe=code(
        """
        import io
        import pprint


        def handler(event, context):
            printed = io.StringIO()
            pprint.pprint(event, stream=printed)
            return printed.getvalue()
        """
    ),
)

WARNINGS = Rule(
    id="LMI211",
    name="warning-filters-changed",
    summary="The warnings filters are changed for the whole process.",
    why={
        Mode.TASK: "the filters are one list for all invocations, and are put back as they were for one of them",
        Mode.THREAD: "the filters are one list for all threads; Python's documentation calls catch_warnings unsafe in threads",
    },
    production=(
        'With `simplefilter("error")` in one invocation, a warning of a library is an exception in others. With two '
        "`catch_warnings` that overlap, the filters of one stay for good."
    ),
    fix="Set filters at import. To turn a warning into an error, look for its cause instead: check the argument.",
    unsafe=code(
        """
        import json
        import warnings


        def handler(event, context):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return json.loads(event["body"])
        """
    ),
    safe=code(
        """
        import json
        import warnings

        warnings.simplefilter("ignore", DeprecationWarning)


        def handler(event, context):
            return json.loads(event["body"])
        """
    ),
)
