"""The X-Ray trace header where botocore and the X-Ray SDK look for it: `os.environ["_X_AMZN_TRACE_ID"]`.

The one place that writes to the environment. With one invocation at a time the variable is set for each, as AWS's runtime
does. With several in one process it cannot be: see `polylambda.isolation`.
"""

from __future__ import annotations

import os
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"

_MANY = 250  # values; environments that end before do without the import that keeping none of them takes
_ROOM = 4096  # bytes of a value that is written to memory of ours

_shared = False
_set = 0  # values so far
_variable: _Variable | None = None


def set_trace(header: str) -> None:
    """Set the trace header of the invocation that begins; an empty one removes it, as AWS's runtime does.

    Nothing happens while several invocations share this process.
    """
    global _set
    if _shared:
        return
    if not header:
        os.environ.pop(TRACE_VARIABLE, None)
    elif _variable is None or not _variable.set(header):
        os.environ[TRACE_VARIABLE] = header
        _set += 1
        if _set == _MANY:
            _reuse_memory()


def share(shared: bool) -> None:
    """Say whether several invocations use this process at once; then the variable stays unset."""
    global _shared
    _shared = shared
    os.environ.pop(TRACE_VARIABLE, None)


def _reuse_memory() -> None:
    global _variable
    try:
        _variable = _Variable()
    except (ImportError, OSError, AttributeError):
        pass  # a Python without ctypes, or a C library with a `putenv` that cannot be called


class _Variable:
    """The trace variable in memory that is used again.

    What `os.environ` is given goes to setenv(3), and the C library of GNU keeps every value it was ever given: some 150 bytes
    an invocation, and the search among them. putenv(3) takes memory of ours, which can be written to as long as nobody has
    set the variable otherwise.
    """

    def __init__(self) -> None:
        """Raises ImportError, OSError, AttributeError: it does not work here."""
        import ctypes

        prefix = f"{TRACE_VARIABLE}=".encode()
        buffer = ctypes.create_string_buffer(prefix, len(prefix) + _ROOM + 1)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(buffer))  # the environment may point to it until the process ends
        self._memory = memoryview(buffer).cast("B")[len(prefix) :]
        self._put = partial(ctypes.PyDLL(None).putenv, buffer)
        environ: Any = os.environ
        self._values: dict[bytes, bytes] = environ._data  # noqa: SLF001 - what `os.environ` finds, without its setenv(3)
        self._key: bytes = environ.encodekey(TRACE_VARIABLE)
        self._last: bytes | None = None

    def set(self, header: str) -> bool:
        """Set the variable, for Python, C and child processes; False: the header is none that the platform sends."""
        if not header.isascii() or len(header) > _ROOM or "\0" in header:
            return False
        value = header.encode()
        self._memory[: len(value) + 1] = value + b"\0"
        if self._values.get(self._key) is not self._last or self._last is None:
            self._put()  # the handler has set or removed it
        self._values[self._key] = self._last = value
        return True
