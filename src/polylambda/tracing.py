"""The X-Ray trace header where botocore and the X-Ray SDK look for it: `os.environ["_X_AMZN_TRACE_ID"]`.

The one place that writes to the environment. With one invocation at a time the variable is set for each, as AWS's runtime
does. With several in one process it cannot be: see `polylambda.isolation`.
"""

from __future__ import annotations

import os

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"

_shared = False


def set_trace(header: str) -> None:
    """Set the trace header of the invocation that begins; an empty one removes it, as AWS's runtime does.

    Nothing happens while several invocations share this process.
    """
    if _shared:
        return
    if header:
        os.environ[TRACE_VARIABLE] = header
    else:
        os.environ.pop(TRACE_VARIABLE, None)


def share(shared: bool) -> None:
    """Say whether several invocations use this process at once; then the variable stays unset."""
    global _shared
    _shared = shared
    os.environ.pop(TRACE_VARIABLE, None)
