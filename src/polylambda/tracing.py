"""The X-Ray trace header where botocore and the X-Ray SDK look for it: `os.environ["_X_AMZN_TRACE_ID"]`.

The one place that writes to the environment.
"""

from __future__ import annotations

import os

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


def set_trace(header: str) -> None:
    """Set the trace header of the invocation that begins; an empty one removes it, as AWS's runtime does.

    For runtimes that hold one invocation at a time.
    """
    if header:
        os.environ[TRACE_VARIABLE] = header
    else:
        os.environ.pop(TRACE_VARIABLE, None)
