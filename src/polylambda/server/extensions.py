"""The Extensions API of one environment, as far as a runtime needs it: registration, and waiting for the shutdown.

Facts in, replies out; the requests themselves are the environment's business.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID, uuid4

from polylambda.rapi import headers as names
from polylambda.server.errors import Refusal
from polylambda.server.wire import Reply

if TYPE_CHECKING:
    from polylambda.server.function import FunctionConfiguration

MAX_EXTENSIONS = 10
MAX_NAME = 128  # characters

_IDENTIFIER_HEADER = names.EXTENSION_IDENTIFIER.title()


class EventPoll(Protocol):
    """An extension that waits for its next event."""

    def deliver(self, reply: Reply) -> None:
        """Send it."""
        ...


class _Extension:
    def __init__(self, name: str, events: frozenset[str]) -> None:
        self.name = name
        self.events = events
        self.poll: EventPoll | None = None
        self.told = False  # of the shutdown


class Extensions:
    """The extensions of one environment."""

    def __init__(self, function: FunctionConfiguration) -> None:
        self._function = function
        self._extensions: dict[str, _Extension] = {}
        self._open = True
        self._shutdown: bytes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the registered extensions."""
        return tuple(extension.name for extension in self._extensions.values())

    def close_registration(self) -> None:
        """Take no more of them: the runtime has polled."""
        self._open = False

    def register(self, name: str | None, body: bytes) -> Reply:
        """Register the extension `name` for the events in `body`. Raises Refusal."""
        if not name:
            raise _refusal("Extension.InvalidExtensionName", "Lambda-Extension-Name is missing or empty")
        if len(name) > MAX_NAME:
            raise _refusal("Extension.InvalidExtensionName", f"an extension's name has at most {MAX_NAME} characters")
        if not self._open:
            raise _refusal("Extension.RegistrationClosed", "Extension registration closed already")
        if len(self._extensions) >= MAX_EXTENSIONS:
            raise _refusal("Extension.TooManyExtensions", f"an environment has at most {MAX_EXTENSIONS} extensions")
        if name in self.names:
            raise _refusal("Extension.InvalidExtensionState", f"extension {name} is registered already")
        identifier = str(uuid4())
        self._extensions[identifier] = _Extension(name, _events(body))
        function = self._function
        fields = {
            "functionName": function.name,
            "functionVersion": function.version,
            "handler": function.handler,
        }
        return Reply(200, json.dumps(fields).encode(), headers={_IDENTIFIER_HEADER: identifier})

    def wait(self, identifier: str | None, poll: EventPoll) -> None:
        """Deliver the extension's next event to `poll`, when there is one. Raises Refusal."""
        extension = self.find(identifier)
        if extension.poll is not None:
            raise _refusal("Extension.InvalidExtensionState", f"extension {extension.name} waits for an event already")
        extension.poll = poll
        self._tell(extension)

    def find(self, identifier: str | None) -> _Extension:
        """Return the extension. Raises Refusal when there is none."""
        if not identifier:
            raise _refusal("Extension.MissingExtensionIdentifier", "Lambda-Extension-Identifier is missing")
        try:
            UUID(identifier)
        except ValueError:
            raise _refusal("Extension.InvalidExtensionIdentifier", "Lambda-Extension-Identifier is no UUID") from None
        extension = self._extensions.get(identifier)
        if extension is None:
            raise _refusal("Extension.UnknownExtensionIdentifier", "there is no extension with this identifier")
        return extension

    def drop_poll(self, poll: EventPoll) -> None:
        """Forget a poll: it is dead."""
        for extension in self._extensions.values():
            if extension.poll is poll:
                extension.poll = None

    def shut_down(self, reason: str, deadline_ms: int) -> None:
        """Send SHUTDOWN to the extensions that asked for it; `deadline_ms` since the epoch is when they are killed."""
        event = {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms}
        self._shutdown = json.dumps(event).encode()
        for extension in self._extensions.values():
            self._tell(extension)

    def _tell(self, extension: _Extension) -> None:
        if self._shutdown is None or extension.poll is None or extension.told or "SHUTDOWN" not in extension.events:
            return
        poll, extension.poll = extension.poll, None
        extension.told = True
        poll.deliver(Reply(200, self._shutdown))


def _events(body: bytes) -> frozenset[str]:
    """The events that a registration asks for. Raises Refusal."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        raise _refusal("InvalidRequestFormat", "the registration is not JSON") from None
    events: Any = cast("dict[str, Any]", document).get("events", []) if isinstance(document, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, str) for event in cast("list[Any]", events)):
        raise _refusal("InvalidRequestFormat", 'the registration is not of the form {"events": ["SHUTDOWN"]}')
    asked = frozenset(cast("list[str]", events))
    unknown = asked - {"SHUTDOWN"}
    if unknown:
        raise _refusal("Extension.InvalidEventType", f"no such event here: {', '.join(sorted(unknown))}")
    return asked


def _refusal(error_type: str, message: str) -> Refusal:
    return Refusal(403, error_type, message)
