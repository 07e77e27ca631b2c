"""The queue of asynchronous invocations: events that survive the plane, and the letters that could not be delivered.

It keeps, and says when; who runs an event, and what its end means, is the business of `polylambda.plane.events`. Times
are Unix seconds, because they must mean the same to the next plane.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from polylambda.errors import ConfigurationError
from polylambda.server.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_DEAD_LETTERS = 10_000
"""As many are kept; the oldest go first."""

_FILE = "queue.db"
_ALWAYS = float("inf")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL, version TEXT NOT NULL, due REAL NOT NULL,
    body BLOB NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_due ON events (function, version, due);
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL, letter BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An asynchronous invocation that waits for its turn.

    Attributes:
        id: its number in the queue; 0 before it is there.
        function: name of the function.
        version: the version that is to run: `$LATEST.PUBLISHED` or a number.
        qualifier: what the caller named, version or alias; None: nothing. It chooses the event-invoke config.
        invocation: the event with its metadata.
        accepted_at: Unix time.
        attempts: how often the function ran on it and failed.
        refusals: how often in a row nobody could take it.
        chain: ARNs of the functions whose destination it is, the latest last.
    """

    id: int = 0
    function: str
    version: str
    qualifier: str | None
    invocation: Invocation
    accepted_at: float
    attempts: int = 0
    refusals: int = 0
    chain: tuple[str, ...] = ()


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is given up, and of which no destination was told.

    Attributes:
        time: when, as ISO 8601.
        request_id: of the event.
        function_arn: of the function that should have run it.
        condition: `RetriesExhausted`, `EventAgeExceeded`, or what is wrong with its destination.
        attempts: how often the function ran on it.
        request_payload: the event: JSON, or text when it is none.
        response_payload: the last error of the function, likewise; None: there was none.
    """

    time: str
    request_id: str
    function_arn: str
    condition: str
    attempts: int
    request_payload: object = None
    response_payload: object = None


class EventQueue:
    """The queue in a data directory. A call that returned survives a kill of this process; none is half done."""

    def __init__(self, folder: Path) -> None:
        """Open the queue; what was under way when the last plane ended is due again.

        Raises:
            ConfigurationError: the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FILE
        self._db = sqlite3.connect(path, isolation_level=None)
        # What is under way, by its version; every version is in it that has events.
        self._taken: dict[tuple[str, str], set[int]] = {}
        try:
            # With a write-ahead log, NORMAL loses nothing when this process dies; only a power cut may take the last commits.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            for version in self._db.execute("SELECT DISTINCT function, version FROM events"):
                self._taken[version] = set()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ConfigurationError(
                f"{path} is not a queue of polylambda ({error}): move it away, or choose another data directory"
            ) from error

    def close(self) -> None:
        """Close the file. The queue cannot be used any more."""
        self._db.close()

    def __len__(self) -> int:
        """Count what is in it, with what is under way."""
        return self._db.execute("SELECT count(*) FROM events").fetchone()[0]

    def put(self, event: Event, *, due: float | None = None) -> int:
        """Keep `event`, due at once or at that time; return its number."""
        return self._insert(event, event.accepted_at if due is None else due)

    def due(self) -> dict[tuple[str, str], float]:
        """Return when the next event of each version, by function and version, is due that is not under way."""
        found: dict[tuple[str, str], float] = {}
        for version in list(self._taken):
            rows = self._of_version("id, due", version, _ALWAYS, 1)
            if rows:
                found[version] = rows[0][1]
            elif not self._taken[version]:
                del self._taken[version]
        return found

    def take(self, function: str, version: str, now: float, limit: int) -> list[Event]:
        """Return at most `limit` due events of a version, the longest due first; each once until it is put back."""
        rows = self._of_version("id, function, version, body, payload", (function, version), now, limit)
        events = [_event(*row) for row in rows]
        if events:
            self._taken[function, version].update(event.id for event in events)
        return events

    def put_back(self, event: Event, due: float) -> None:
        """Let `event` wait until `due`."""
        self._db.execute("UPDATE events SET body = ?, due = ? WHERE id = ?", (_body(event), due, event.id))
        self._taken[event.function, event.version].discard(event.id)

    def finish(self, event: Event, *, follow_up: Event | None = None, letter: DeadLetter | None = None) -> None:
        """Remove `event`, and in the same moment keep what comes of it: an event for a destination, a dead letter."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM events WHERE id = ?", (event.id,))
            if follow_up is not None:
                self._insert(follow_up, follow_up.accepted_at)
            if letter is not None:
                self._db.execute(
                    "INSERT INTO dead_letters (function, letter) VALUES (?, ?)",
                    (event.function, msgspec.json.encode(letter)),
                )
                self._db.execute(
                    "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?", (MAX_DEAD_LETTERS,)
                )
        self._taken[event.function, event.version].discard(event.id)

    def dead_letters(self, function: str | None = None, *, limit: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters, of one function or of all, the latest first."""
        where, values = ("WHERE function = ?", [function]) if function is not None else ("", [])
        rows: Iterable[tuple[bytes]] = self._db.execute(
            f"SELECT letter FROM dead_letters {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 (a constant)
            (*values, limit),
        )
        return [msgspec.json.decode(letter, type=DeadLetter) for (letter,) in rows]

    def _of_version(self, columns: str, version: tuple[str, str], now: float, limit: int) -> list[Any]:
        """Return rows of events of a version that are due and not under way; the first column is their number."""
        taken = self._taken.get(version, ())
        rows = self._db.execute(
            f"SELECT {columns} FROM events "  # noqa: S608 (constants)
            "WHERE function = ? AND version = ? AND due <= ? ORDER BY due, id LIMIT ?",
            (*version, now, limit + len(taken)),
        )
        return [row for row in rows if row[0] not in taken][:limit]

    def _insert(self, event: Event, due: float) -> int:
        cursor = self._db.execute(
            "INSERT INTO events (function, version, due, body, payload) VALUES (?, ?, ?, ?, ?)",
            (event.function, event.version, due, _body(event), event.invocation.payload),
        )
        self._taken.setdefault((event.function, event.version), set())
        assert cursor.lastrowid is not None
        return cursor.lastrowid


class _Body(msgspec.Struct, omit_defaults=True):
    """An event as it is kept, without what has a column of its own: its payload may be large."""

    qualifier: str | None
    accepted_at: float
    content_type: str
    request_id: str
    arn: str
    trace_id: str = ""
    tenant_id: str = ""
    attempts: int = 0
    refusals: int = 0
    chain: tuple[str, ...] = ()


def _body(event: Event) -> bytes:
    invocation = event.invocation
    return msgspec.json.encode(
        _Body(
            qualifier=event.qualifier,
            accepted_at=event.accepted_at,
            content_type=invocation.content_type,
            request_id=invocation.request_id,
            arn=invocation.invoked_function_arn,
            trace_id=invocation.trace_id,
            tenant_id=invocation.tenant_id,
            attempts=event.attempts,
            refusals=event.refusals,
            chain=event.chain,
        )
    )


def _event(number: int, function: str, version: str, body: bytes, payload: bytes) -> Event:
    kept = msgspec.json.decode(body, type=_Body)
    return Event(
        id=number,
        function=function,
        version=version,
        qualifier=kept.qualifier,
        invocation=Invocation(
            payload=payload,
            content_type=kept.content_type,
            request_id=kept.request_id,
            invoked_function_arn=kept.arn,
            trace_id=kept.trace_id,
            tenant_id=kept.tenant_id,
        ),
        accepted_at=kept.accepted_at,
        attempts=kept.attempts,
        refusals=kept.refusals,
        chain=kept.chain,
    )
