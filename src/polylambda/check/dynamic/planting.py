"""Planting markers into an event, so that it stays an event of the same kind. Pure.

A place is a string of the event, also one inside a body that is JSON or base64. What looks like a number, a date, a name of
AWS's or one of a few words is no place: a marker would make another event of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, cast

Place = tuple[str, ...]
Visit = Callable[[Place, str], str]

# Names of AWS's events whose values are fixed words, or are computed from others.
_FIXED = frozenset(
    [
        "accountid",
        "apiid",
        "awsregion",
        "configurationid",
        "contenttype",
        "content-type",
        "detail-type",
        "domainname",
        "domainprefix",
        "encoding",
        "etag",
        "eventname",
        "eventsource",
        "eventsourcearn",
        "eventsubscriptionarn",
        "eventversion",
        "httpmethod",
        "invokeidentityarn",
        "kind",
        "md5ofbody",
        "md5ofmessageattributes",
        "method",
        "mode",
        "operation",
        "partitionkey",
        "path",
        "protocol",
        "rawpath",
        "region",
        "resource",
        "resourceid",
        "resourcepath",
        "routekey",
        "s3schemaversion",
        "sequencenumber",
        "sequencer",
        "signature",
        "signatureversion",
        "signingcerturl",
        "source",
        "sourceip",
        "stage",
        "status",
        "time",
        "timeepoch",
        "timestamp",
        "topicarn",
        "type",
        "unsubscribeurl",
        "version",
    ]
)
_HEADERS = ("headers", "multivalueheaders")
_OPEN_HEADERS = ("authorization", "cookie", "referer", "user-agent")

_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"(?i)[0-9a-f]{16,}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL = re.compile(r"https?://\S+")
_FILE = re.compile(r"(.*\w)(\.\w{1,5})", re.DOTALL)
_FORMAL = re.compile(
    r"[-+]?[\d.,:_/ -]+%?"  # numbers, versions, dates, times, addresses
    r"|\d{4}-\d\d-\d\d[T ][\d:.,]+\s?(Z|[-+]\d\d:?\d\d)?"  # points in time
    r"|\w{3}, \d\d \w{3} \d{4} .*|\d\d/\w{3}/\d{4}:.*"
    r"|arn:.*|aws:.*|/.*|\$.*|[\w.+-]+/[\w.+*-]+(;.*)?"  # names of AWS's, paths, types of media
    r"|[A-Z][A-Z0-9_]*|(?i:true|false|null|none|yes|no|on|off)"  # words of an enumeration
    r"|\w+(\.\w+)*:\w+",
    re.DOTALL,
)


def places(event: Any) -> tuple[Place, ...]:
    """Return the places of an event, from its beginning to its end."""
    found: list[Place] = []

    def note(place: Place, text: str) -> str:
        found.append(place)
        return text

    _walk(event, (), note)
    return tuple(found)


def plant(event: Any, chosen: frozenset[Place], marker: str) -> Any:
    """Return the event with `marker` in the chosen places."""
    return _walk(event, (), lambda place, text: _marked(text, marker) if place in chosen else text)


def _walk(value: Any, place: Place, visit: Visit) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: _walk(each, (*place, key), visit) for key, each in members.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_walk(each, (*place, str(index)), visit) for index, each in enumerate(items)]
    if isinstance(value, str) and value:
        return _walk_text(value, place, visit)
    return value


def _walk_text(text: str, place: Place, visit: Visit) -> str:
    inner = _container(text)
    if inner is not None:
        changed = _walk(inner, (*place, "(JSON)"), visit)
        return text if changed == inner else json.dumps(changed)
    decoded = _decoded(text)
    if decoded is not None:
        changed = _walk_text(decoded, (*place, "(base64)"), visit)
        return text if changed == decoded else base64.b64encode(changed.encode()).decode()
    return visit(place, text) if _is_free(text, place) else text


def _is_free(text: str, place: Place) -> bool:
    """Say whether the text may be any."""
    names = [name.lower() for name in place if not name.isdigit() and not name.startswith("(")]
    last = names[-1] if names else ""
    if last in _FIXED or last.endswith("arn"):
        return False
    if any(name in _HEADERS for name in names[:-1]) and not (last in _OPEN_HEADERS or last.startswith("x-")):
        return False
    return _UUID.fullmatch(text) is not None or _FORMAL.fullmatch(text) is None


def _marked(text: str, marker: str) -> str:
    """The text with the marker, as the same kind of text."""
    if _UUID.fullmatch(text) or _HEX.fullmatch(text):
        return text[: -len(marker)] + marker
    if _EMAIL.fullmatch(text):
        local, _, domain = text.partition("@")
        return f"{local}-{marker}@{domain}"
    if _URL.fullmatch(text):
        return f"{text}{'&' if '?' in text else '?'}m={marker}"
    if file := _FILE.fullmatch(text):
        return f"{file[1]}-{marker}{file[2]}"
    return f"{text}-{marker}"


def _container(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("Any", found) if isinstance(found, (dict, list)) else None


def _decoded(text: str) -> str | None:
    """What base64 stands for, if it is base64 of JSON; other text may look like base64 by accident."""
    if len(text) < 8 or len(text) % 4:
        return None
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded if _container(decoded) is not None else None
