"""AWS's Signature Version 4, checked: is a request from somebody who has one of our secrets? No I/O and no clock.

Only what SDKs send to Lambda: the `Authorization` header, over the whole body or an unsigned payload. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import configparser
import datetime as dt
import functools
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from polylambda.errors import ConfigurationError, PolylambdaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
MAX_SKEW = 300.0
"""Seconds by which the caller's clock may differ from ours; AWS's figure."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request\s*,\s*SignedHeaders=(?P<headers>[a-z0-9;._-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_TIME = re.compile(r"\d{8}T\d{6}Z")


class Unauthenticated(PolylambdaError):
    """The request is not signed, or not well; `name` is AWS's exception."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may call, by access key id: secret access keys. They are never shown."""

    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Credentials of {', '.join(self.secrets)}>"

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Read a file of the form of `~/.aws/credentials`; every profile in it may call.

        Raises:
            ConfigurationError: it cannot be read, or has no credentials.
        """
        parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            parser.read_string(path.read_text())
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise ConfigurationError(f"the credentials file {path} cannot be read: {error}") from error
        sections = [parser[name] for name in parser.sections()]
        secrets = {
            section["aws_access_key_id"].strip(): section["aws_secret_access_key"].strip()
            for section in sections
            if section.get("aws_access_key_id", "").strip() and section.get("aws_secret_access_key", "").strip()
        }
        if not secrets:
            raise ConfigurationError(
                f"the credentials file {path} has no profile with aws_access_key_id and aws_secret_access_key"
            )
        return cls(secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as its signature sees it.

    Attributes:
        path: as it was sent, percent-encoded.
        query: as it was sent.
        headers: by lower-case name, repeated ones joined by commas.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself, before its body was read."""

    key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    time: str
    secret: str


def claim(request: SignedRequest, credentials: Credentials, *, now: float, service: str = "lambda") -> Claim:
    """Return what the request claims, when that is worth reading its body; `now` is in seconds since the epoch.

    Raises:
        Unauthenticated: it is not signed, not now, not for this service, or by nobody we know.
    """
    header = request.headers.get("authorization", "")
    if not header:
        raise Unauthenticated("MissingAuthenticationTokenException", "Missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(header.strip())
    if match is None:
        raise Unauthenticated(
            "IncompleteSignatureException",
            f"The Authorization header must be {ALGORITHM} with Credential, SignedHeaders and Signature",
        )
    time = request.headers.get("x-amz-date", "")
    if not _TIME.fullmatch(time):
        raise Unauthenticated("IncompleteSignatureException", "The X-Amz-Date header must be like 20260102T030405Z")
    _check_time(time, now)
    if not time.startswith(match["date"]) or match["service"] != service:
        raise Unauthenticated(
            "InvalidSignatureException", f"Credential should be scoped to the date {time[:8]} and the service {service}"
        )
    signed = tuple(match["headers"].split(";"))
    if "host" not in signed or "x-amz-date" not in signed:
        raise Unauthenticated("InvalidSignatureException", "Host and X-Amz-Date must be among the signed headers")
    secret = credentials.secrets.get(match["key"])
    if secret is None:
        raise Unauthenticated("UnrecognizedClientException", "The security token included in the request is invalid.")
    return Claim(
        match["key"], match["date"], match["region"], match["service"], signed, match["signature"], time, secret
    )


def verify(claimed: Claim, request: SignedRequest, body: bytes) -> None:
    """Check the signature over all of the request.

    Raises:
        Unauthenticated: it is another than it should be.
    """
    told = request.headers.get("x-amz-content-sha256")
    digest = UNSIGNED if told == UNSIGNED else hashlib.sha256(body).hexdigest()
    expected = signature(claimed, canonical_request(request, claimed.signed_headers, digest))
    if (told or digest) != digest or not hmac.compare_digest(expected, claimed.signature):
        raise Unauthenticated(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )


def canonical_request(request: SignedRequest, signed_headers: Iterable[str], digest: str) -> str:
    """Return the text that is signed."""
    names = tuple(signed_headers)
    lines = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names]
    return "\n".join(
        (
            request.method,
            quote(_normal(request.path), safe="/~"),  # a second time: every service but S3 wants it so
            _canonical_query(request.query),
            "".join(lines),
            ";".join(names),
            digest,
        )
    )


def signature(claimed: Claim, canonical: str) -> str:
    """Return what the signature should be."""
    scope = f"{claimed.date}/{claimed.region}/{claimed.service}/aws4_request"
    text = f"{ALGORITHM}\n{claimed.time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return _hmac(_signing_key(claimed.secret, claimed.date, claimed.region, claimed.service), text).hex()


@functools.lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = _hmac(f"AWS4{secret}".encode(), date)
    return _hmac(_hmac(_hmac(key, region), service), "aws4_request")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _canonical_query(query: str) -> str:
    pairs = [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in _parameters(query)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _parameters(query: str) -> list[tuple[str, str]]:
    # A plus sign is a space in forms only; who signs has encoded it.
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def _normal(path: str) -> str:
    """Return `path` without empty, `.` and `..` segments, as SDKs sign it."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    end = "/" if segments and path.endswith("/") else ""
    return f"/{'/'.join(segments)}{end}"


def _check_time(time: str, now: float) -> None:
    try:
        signed = dt.datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise Unauthenticated("IncompleteSignatureException", f"The X-Amz-Date {time} is no time") from error
    skew = now - signed.timestamp()
    if abs(skew) > MAX_SKEW:
        what = "Signature expired" if skew > 0 else "Signature not yet current"
        raise Unauthenticated(
            "InvalidSignatureException",
            f"{what}: {time} is {abs(skew):.0f} s from the plane's clock, {MAX_SKEW:.0f} may be",
        )
