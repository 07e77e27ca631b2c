"""A handler that is set at import; names of signals; a limit that the library has."""
# mode: thread
import signal

import search


def stop(number, frame):
    raise SystemExit(0)


signal.signal(signal.SIGTERM, stop)


def handler(event, context):
    name = signal.Signals(event["signal"]).name
    return {name: search.find(event["query"], timeout=2), "valid": len(signal.valid_signals())}
