"""What is wanted of the plane, kept in its data directory: SQLite, and nothing of it in anybody else's hands.

One process has the store. So all of it is in memory as well: reading is a look into a dictionary, and writing goes to
the file first. A write that returned survives a kill at any line; none is half done.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from polylambda.errors import ConfigurationError
from polylambda.plane.records import Document, ProviderRecord, VersionRecord

if TYPE_CHECKING:
    from pathlib import Path

EVERY_QUALIFIER = ""
"""Key of what is configured for a function without a qualifier."""

_FORMAT = 1
_FILE = "plane.db"

# Kinds of documents that belong to a function; with each goes a key, such as an alias's name.
_ALIAS = "alias"
_URL = "url"
_EVENT_INVOKE = "event-invoke"
_SETTINGS = "settings"  # one a function, key "": tags, reserved concurrency, the last version's number

_SCHEMA = """
CREATE TABLE IF NOT EXISTS providers (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    function TEXT, qualifier TEXT, record BLOB NOT NULL, PRIMARY KEY (function, qualifier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    function TEXT, kind TEXT, key TEXT, document BLOB NOT NULL, PRIMARY KEY (function, kind, key)
) WITHOUT ROWID;
"""


class Store:
    """Capacity providers, functions with their versions, and what is configured for them.

    Everything it returns is shared: treat documents as read-only, and put a new one to change something. Lists are in
    the order of their names; versions with the latest first, then by number.

    Attributes:
        folder: where it is, and where what belongs to it may be.
    """

    def __init__(self, folder: Path) -> None:
        """Open the store in `folder`, which is made when it is missing.

        Raises:
            ConfigurationError: what is there is not a store, or one of a later polylambda.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        path = folder / _FILE
        self._providers: dict[str, ProviderRecord] = {}
        self._functions: dict[str, dict[str, VersionRecord]] = {}
        self._documents: dict[tuple[str, str], dict[str, Document]] = {}
        self._urls: dict[str, tuple[str, str]] = {}
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._open()
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            self._db.close()
            raise ConfigurationError(
                f"{path} is not a store of this polylambda ({error}): move the data directory away, or choose another"
            ) from error
        except ConfigurationError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file. The store cannot be used any more."""
        self._db.close()

    # Capacity providers

    def providers(self) -> list[ProviderRecord]:
        """Return all capacity providers, those that are being deleted among them."""
        return [self._providers[name] for name in sorted(self._providers)]

    def provider(self, name: str) -> ProviderRecord | None:
        """Return the capacity provider of that name."""
        return self._providers.get(name)

    def put_provider(self, record: ProviderRecord) -> None:
        """Add a capacity provider, or replace the one of that name."""
        self._write("INSERT OR REPLACE INTO providers VALUES (?, ?)", record.name, msgspec.json.encode(record))
        self._providers[record.name] = record

    def remove_provider(self, name: str) -> None:
        """Remove a capacity provider, when nothing of it is left. One that is not there is no error."""
        self._write("DELETE FROM providers WHERE name = ?", name)
        self._providers.pop(name, None)

    # Functions and their versions

    def functions(self) -> list[str]:
        """Return the names of all functions."""
        return sorted(self._functions)

    def versions(self) -> list[VersionRecord]:
        """Return all versions of all functions, `$LATEST` and those that are being deleted among them."""
        return [record for name in self.functions() for record in self.versions_of(name)]

    def versions_of(self, function: str) -> list[VersionRecord]:
        """Return the versions of a function; none when there is no such function."""
        records = self._functions.get(function, {}).values()
        return sorted(records, key=lambda record: (record.qualifier.isdigit(), _number(record.qualifier)))

    def version(self, function: str, qualifier: str) -> VersionRecord | None:
        """Return one version: `$LATEST`, `$LATEST.PUBLISHED`, or a number. An alias is not one."""
        versions = self._functions.get(function)
        return versions.get(qualifier) if versions is not None else None

    def put_version(self, record: VersionRecord) -> None:
        """Add a version, or replace the one of that function and qualifier."""
        self._write(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?)",
            record.function_name,
            record.qualifier,
            msgspec.json.encode(record),
        )
        self._functions.setdefault(record.function_name, {})[record.qualifier] = record

    def remove_version(self, function: str, qualifier: str) -> None:
        """Remove a version, when nothing of it is left; with its last version a function goes altogether."""
        versions = self._functions.get(function, {})
        last = versions.keys() <= {qualifier}
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM versions WHERE function = ? AND qualifier = ?", (function, qualifier))
            if last:
                self._db.execute("DELETE FROM documents WHERE function = ?", (function,))
            else:
                self._db.execute(
                    "DELETE FROM documents WHERE function = ? AND kind = ? AND key = ?",
                    (function, _EVENT_INVOKE, qualifier),
                )
        versions.pop(qualifier, None)
        if last:
            self._functions.pop(function, None)
            for kind in (_ALIAS, _URL, _EVENT_INVOKE, _SETTINGS):
                self._documents.pop((function, kind), None)
            self._urls = {url: place for url, place in self._urls.items() if place[0] != function}
        else:
            self._documents.get((function, _EVENT_INVOKE), {}).pop(qualifier, None)

    def next_version(self, function: str) -> str:
        """Return a number for a new version of the function; none is ever given twice."""
        settings = self._settings(function)
        number = int(settings.get("last_version", 0)) + 1
        self._put(function, _SETTINGS, "", {**settings, "last_version": number})
        return str(number)

    # Aliases: AWS's `AliasConfiguration`

    def aliases(self, function: str) -> list[Document]:
        """Return the aliases of a function."""
        return self._all(function, _ALIAS)

    def alias(self, function: str, name: str) -> Document | None:
        """Return one alias."""
        return self._one(function, _ALIAS, name)

    def put_alias(self, function: str, name: str, document: Document) -> None:
        """Add or replace an alias."""
        self._put(function, _ALIAS, name, document)

    def remove_alias(self, function: str, name: str) -> None:
        """Remove an alias, and what is configured for it."""
        self._remove(function, _ALIAS, name)
        self._remove(function, _EVENT_INVOKE, name)
        self.remove_url_config(function, name)

    # Function URLs: AWS's `FunctionUrlConfig`; the key is an alias, or EVERY_QUALIFIER

    def url_configs(self, function: str) -> list[Document]:
        """Return the function URL configurations of a function."""
        return self._all(function, _URL)

    def url_config(self, function: str, qualifier: str) -> Document | None:
        """Return one function URL configuration."""
        return self._one(function, _URL, qualifier)

    def url_by_id(self, url_id: str) -> tuple[str, str, Document] | None:
        """Return function, qualifier and configuration of the function URL with that id."""
        place = self._urls.get(url_id)
        if place is None:
            return None
        return *place, self._documents[place[0], _URL][place[1]]

    def put_url_config(self, function: str, qualifier: str, document: Document) -> None:
        """Add or replace a function URL configuration; its member `UrlId` is ours, and names it."""
        self._put(function, _URL, qualifier, document)
        self._urls[document["UrlId"]] = (function, qualifier)

    def remove_url_config(self, function: str, qualifier: str) -> None:
        """Remove a function URL configuration."""
        document = self.url_config(function, qualifier)
        if document is not None:
            self._remove(function, _URL, qualifier)
            self._urls.pop(document["UrlId"], None)

    # Asynchronous invocation: AWS's `FunctionEventInvokeConfig`; the key is a version or an alias

    def event_invoke_configs(self, function: str) -> list[Document]:
        """Return the event-invoke configurations of a function."""
        return self._all(function, _EVENT_INVOKE)

    def event_invoke_config(self, function: str, qualifier: str) -> Document | None:
        """Return one event-invoke configuration; `$LATEST` is the key of a function without a qualifier."""
        return self._one(function, _EVENT_INVOKE, qualifier)

    def put_event_invoke_config(self, function: str, qualifier: str, document: Document) -> None:
        """Add or replace an event-invoke configuration."""
        self._put(function, _EVENT_INVOKE, qualifier, document)

    def remove_event_invoke_config(self, function: str, qualifier: str) -> None:
        """Remove an event-invoke configuration."""
        self._remove(function, _EVENT_INVOKE, qualifier)

    # What belongs to a function as a whole

    def function_tags(self, function: str) -> dict[str, str]:
        """Return the tags of a function."""
        return self._settings(function).get("tags", {})

    def put_function_tags(self, function: str, tags: dict[str, str]) -> None:
        """Replace the tags of a function."""
        self._put(function, _SETTINGS, "", {**self._settings(function), "tags": tags})

    def reserved_concurrency(self, function: str) -> int | None:
        """Return the reserved concurrency of a function; None: it has none."""
        return self._settings(function).get("reserved_concurrency")

    def put_reserved_concurrency(self, function: str, value: int | None) -> None:
        """Replace the reserved concurrency of a function; None takes it away."""
        self._put(function, _SETTINGS, "", {**self._settings(function), "reserved_concurrency": value})

    # Beneath

    def _open(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives the death of the process; the machine's costs a sync a write
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > _FORMAT:
            raise ConfigurationError(
                f"the data directory was written by a later polylambda (format {found}, this one knows {_FORMAT}): "
                "use that version, or another data directory"
            )
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {_FORMAT}")
        for (data,) in self._rows("SELECT record FROM providers"):
            provider = msgspec.json.decode(data, type=ProviderRecord)
            self._providers[provider.name] = provider
        for (data,) in self._rows("SELECT record FROM versions"):
            version = msgspec.json.decode(data, type=VersionRecord)
            self._functions.setdefault(version.function_name, {})[version.qualifier] = version
        for function, kind, key, data in self._rows("SELECT function, kind, key, document FROM documents"):
            document: Document = msgspec.json.decode(data)
            self._documents.setdefault((function, kind), {})[key] = document
            if kind == _URL:
                self._urls[document["UrlId"]] = (function, key)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self._db.execute(query)) as cursor:
            return cursor.fetchall()

    def _settings(self, function: str) -> Document:
        return self._one(function, _SETTINGS, "") or {}

    def _all(self, function: str, kind: str) -> list[Document]:
        documents = self._documents.get((function, kind), {})
        return [documents[key] for key in sorted(documents)]

    def _one(self, function: str, kind: str, key: str) -> Document | None:
        documents = self._documents.get((function, kind))
        return documents.get(key) if documents is not None else None

    def _put(self, function: str, kind: str, key: str, document: Document) -> None:
        self._write(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", function, kind, key, msgspec.json.encode(document)
        )
        self._documents.setdefault((function, kind), {})[key] = document

    def _remove(self, function: str, kind: str, key: str) -> None:
        self._write("DELETE FROM documents WHERE function = ? AND kind = ? AND key = ?", function, kind, key)
        self._documents.get((function, kind), {}).pop(key, None)

    def _write(self, statement: str, *values: object) -> None:
        self._db.execute(statement, values)


def _number(qualifier: str) -> int:
    if qualifier.isdigit():
        return int(qualifier)
    return len(qualifier)  # $LATEST before $LATEST.PUBLISHED
