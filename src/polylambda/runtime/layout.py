"""How the slots of an environment are spread over processes, threads and tasks. No I/O.

An environment with a max concurrency of N has N slots. A layout gives each process its number of slots, so that they add
up to exactly N: rounding loses none.

    task      1 process  x N tasks       `async def` handlers
    thread    1 process  x N threads     `def` handlers that are declared safe
    process   N processes x 1 slot       any handler
    hybrid    1 process a vCPU, the slots spread evenly; tasks or threads by the handler

A slot is a task of the process's event loop when the handler is `async def`, else a thread, the main one if it is alone.
"""

from __future__ import annotations

from polylambda.errors import ConfigurationError

TASK = "task"
THREAD = "thread"
PROCESS = "process"
HYBRID = "hybrid"
MODES = (TASK, THREAD, PROCESS, HYBRID)


class Layout:
    """Where the slots of one environment are.

    Attributes:
        mode: one of `MODES`.
        slots: the number of slots of each process; their sum is the environment's max concurrency.
    """

    __slots__ = ("mode", "slots")

    def __init__(self, mode: str, slots: tuple[int, ...]) -> None:
        self.mode = mode
        self.slots = slots

    @property
    def max_concurrency(self) -> int:
        """Slots in all."""
        return sum(self.slots)

    def slots_of(self, process: int) -> range:
        """Return the numbers of a process's slots, which are counted through the processes."""
        first = sum(self.slots[:process])
        return range(first, first + self.slots[process])

    def event(self) -> dict[str, object]:
        """The layout as it is logged: the fields of AWS's runtime for this event, then ours."""
        return {
            "event": "runtime_worker_pool_initializing",
            "workerCount": len(self.slots),
            "executionEnvironmentMaxConcurrency": self.max_concurrency,
            "concurrencyMode": self.mode,
            "slots": list(self.slots),
        }

    def __repr__(self) -> str:
        return f"<Layout {self.mode}: {self.slots}>"


def parse_max_concurrency(text: str | None) -> tuple[int, str | None]:
    """Return the number of slots that `AWS_LAMBDA_MAX_CONCURRENCY` asks for, and a warning when it is nonsense.

    Unset is one slot, and so is whatever is no positive number.
    """
    if text is None or text.strip() == "":
        return 1, None
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and int(stripped) > 0:
        return int(stripped), None
    return 1, f"AWS_LAMBDA_MAX_CONCURRENCY is {text!r}, which is no positive number: serving one invocation at a time"


def choose_mode(wanted: str | None, *, is_async: bool, is_safe: bool, vcpus: int, handler: str) -> str:
    """Return the mode: the wanted one if the handler allows it, else the safest that makes use of the machine.

    Args:
        wanted: `AWS_LAMBDA_CONCURRENCY_MODE` or `concurrency=`, None when nobody chose.
        is_async: the handler is `async def`.
        is_safe: a `def` handler is declared to be safe in threads.
        vcpus: CPUs that the environment may use.
        handler: its name, for messages.

    Raises:
        ConfigurationError: no such mode, or one that the handler does not fit.
    """
    if wanted is None:
        if is_async:
            return HYBRID if vcpus > 1 else TASK
        if not is_safe:
            return PROCESS
        return HYBRID if vcpus > 1 else THREAD
    mode = wanted.strip().lower()
    if mode not in MODES:
        raise ConfigurationError(f"AWS_LAMBDA_CONCURRENCY_MODE is {wanted!r}: it must be one of {', '.join(MODES)}")
    if is_async and mode == THREAD:
        raise ConfigurationError(
            f"handler {handler} is async def, which does not run in thread mode: choose task or hybrid"
        )
    if not is_async and mode == TASK:
        raise ConfigurationError(
            f"handler {handler} is no async def, so it cannot run in task mode: choose process, or declare it "
            "@concurrency_safe and choose thread or hybrid"
        )
    if not is_async and not is_safe and mode in (THREAD, HYBRID):
        raise ConfigurationError(
            f"handler {handler} would run in several threads of one process, and nobody said that it may: declare it "
            f"@concurrency_safe, or choose process instead of {mode}"
        )
    return mode


def plan(mode: str, max_concurrency: int, *, vcpus: int) -> Layout:
    """Spread `max_concurrency` slots over processes."""
    if mode == PROCESS:
        processes = max_concurrency
    elif mode == HYBRID:
        processes = min(max(vcpus, 1), max_concurrency)
    else:
        processes = 1
    each, more = divmod(max_concurrency, processes)
    return Layout(mode, tuple(each + (process < more) for process in range(processes)))
