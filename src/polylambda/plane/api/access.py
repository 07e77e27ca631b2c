"""Who may call the plane.

With credentials, who signs with one of them. Without any, the plane listens on this machine only, and everybody on it
may call, signed or not; but browsers are on it too, and carry what any web site tells them to send. So a request that
a page of another site may have made, or that came to a name which may be anybody's, is refused.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import time
from typing import TYPE_CHECKING

from polylambda.local.apierror import ApiError
from polylambda.plane import sigv4

if TYPE_CHECKING:
    from polylambda.local.exchange import Exchange
    from polylambda.plane.sigv4 import Claim, Credentials, SignedRequest

_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/")


class Access:
    """Decides whether a request is let in: `begin` before its body is read, `finish` with the body."""

    def __init__(self, credentials: Credentials | None) -> None:
        """Let in who has one of `credentials`; None: everybody on this machine."""
        self._credentials = credentials

    def begin(self, exchange: Exchange) -> Claim | None:
        """Return what is to be checked once the body is there.

        Raises:
            ApiError: the request is refused, whatever its body is.
        """
        self.check_site(exchange)
        if self._credentials is None:
            return None
        try:
            return sigv4.claim(_signed(exchange), self._credentials, now=time.time())
        except sigv4.Unauthenticated as error:
            raise _refused(error) from error

    def check_site(self, exchange: Exchange) -> None:
        """Refuse what a page of another site may have made; with credentials nobody relies on that.

        Raises:
            ApiError: it may have.
        """
        if self._credentials is None:
            _refuse_web_sites(exchange)

    def finish(self, claimed: Claim | None, exchange: Exchange, body: bytes) -> None:
        """Check the signature.

        Raises:
            ApiError: it is wrong.
        """
        if claimed is None:
            return
        try:
            sigv4.verify(claimed, _signed(exchange), body)
        except sigv4.Unauthenticated as error:
            raise _refused(error) from error

    def signer(self, exchange: Exchange, body: bytes) -> str:
        """Return the access key id that a request is signed with; without credentials, any that it names.

        Raises:
            ApiError: it is not signed, or wrongly.
        """
        if self._credentials is not None:
            self.finish(self.begin(exchange), exchange, body)
        match = _ACCESS_KEY.search(exchange.headers.get("authorization", ""))
        if match is None:
            raise ApiError(
                403, "AccessDeniedException", "Forbidden: sign the request, or set the URL's AuthType to NONE"
            )
        return match[1]


def _refused(error: sigv4.Unauthenticated) -> ApiError:
    return ApiError(403, error.name, error.message)


def _signed(exchange: Exchange) -> SignedRequest:
    return sigv4.SignedRequest(
        method=exchange.method, path=exchange.target, query=exchange.query, headers=exchange.headers
    )


def _refuse_web_sites(exchange: Exchange) -> None:
    headers = exchange.headers
    host = headers.get("host", "localhost")
    if not _is_this_machine(host):
        raise ApiError(
            403,
            "AccessDeniedException",
            f"The host name {host[:100]!r} may be anybody's: use localhost or an address, or start the plane with "
            "--credentials-file",
        )
    # A page cannot set the header without asking first, which we do not allow.
    if "origin" in headers and not headers.get("authorization", "").startswith(sigv4.ALGORITHM):
        raise ApiError(403, "AccessDeniedException", "Requests of web sites must be signed; any credentials do")


@functools.lru_cache(maxsize=256)
def _is_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
