from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from polylambda.errors import ConfigurationError
from polylambda.plane.sigv4 import Credentials, SignedRequest, Unauthenticated, claim, verify

OURS = Credentials({"AKID": "secret/key+"})
URL = "http://127.0.0.1:1234/2015-03-31/functions"


def signed(
    method: str = "POST",
    url: str = URL,
    body: bytes = b"{}",
    secret: str = "secret/key+",
    service: str = "lambda",
    headers: dict[str, str] | None = None,
) -> SignedRequest:
    """A request that botocore signed, as it arrives."""
    request = AWSRequest(method=method, url=url, data=body, headers={"X-Some": "a   b ", **(headers or {})})
    SigV4Auth(BotoCredentials("AKID", secret), service, "us-east-1").add_auth(request)
    parts = urlsplit(request.prepare().url)
    told = {name.lower(): str(value) for name, value in request.headers.items()}
    return SignedRequest(method=method, path=parts.path, query=parts.query, headers={"host": parts.netloc, **told})


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    kept = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return SignedRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers={name: value for name, value in kept.items() if value is not None},
    )


def check(request: SignedRequest, body: bytes = b"{}", now: float | None = None) -> None:
    now = now if now is not None else dt.datetime.now(dt.UTC).timestamp()
    verify(claim(request, OURS, now=now), request, body)


class TestAgainstBotocore:
    @pytest.mark.parametrize(
        "url",
        [
            URL,
            f"{URL}/",
            f"{URL}/f/invocations?Qualifier=%24LATEST.PUBLISHED",
            f"{URL}/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/code",
            f"{URL}?Marker=a%2Bb%3D%3D&MaxItems=5&Marker=",
            "http://127.0.0.1:1234/2017-03-31/tags/arn%3Aaws?tagKeys=b&tagKeys=a%20b",
            "http://h/",
        ],
    )
    def test_urls(self, url: str):
        check(signed(url=url))
        check(signed("GET", url=url, body=b""), b"")

    @given(
        body=st.binary(max_size=50),
        segment=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=10),
        value=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10),
    )
    def test_any(self, body: bytes, segment: str, value: str):
        from urllib.parse import quote

        url = f"{URL}/{quote(segment, safe='')}?a={quote(value, safe='')}"
        check(signed(url=url, body=body), body)

    def test_unsigned_payload(self):
        check(signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}), b"anything")


class TestRefused:
    def refused(self, request: SignedRequest, name: str, body: bytes = b"{}", now: float | None = None) -> str:
        with pytest.raises(Unauthenticated) as caught:
            check(request, body, now)
        assert caught.value.name == name
        return str(caught.value)

    def test_another_secret(self):
        assert "does not match" in self.refused(signed(secret="other"), "InvalidSignatureException")

    def test_another_body(self):
        self.refused(signed(), "InvalidSignatureException", b"{ }")

    def test_another_path_query_method_or_header(self):
        good = signed()
        for part in ({"method": "PUT"}, {"path": "/other"}, {"query": "a=b"}):
            facts = {"method": good.method, "path": good.path, "query": good.query, "headers": good.headers, **part}
            self.refused(SignedRequest(**facts), "InvalidSignatureException")
        self.refused(changed(good, x_some="c"), "InvalidSignatureException")

    def test_body_made_free_by_an_unsigned_header(self):
        self.refused(changed(signed(), x_amz_content_sha256="UNSIGNED-PAYLOAD"), "InvalidSignatureException", b"other")

    def test_nobody_we_know(self):
        request = signed()
        authorization = request.headers["authorization"].replace("AKID", "OTHER")
        self.refused(changed(request, authorization=authorization), "UnrecognizedClientException")

    def test_not_signed(self):
        self.refused(changed(signed(), authorization=None), "MissingAuthenticationTokenException")

    @pytest.mark.parametrize("header", ["Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a, b=c"])
    def test_signed_in_another_way(self, header: str):
        self.refused(changed(signed(), authorization=header), "IncompleteSignatureException")

    @pytest.mark.parametrize("time", [None, "", "yesterday", "99999999T999999Z"])
    def test_no_time(self, time: str | None):
        self.refused(changed(signed(), x_amz_date=time), "IncompleteSignatureException")

    @pytest.mark.parametrize(("shift", "words"), [(400, "expired"), (-400, "not yet current")])
    def test_another_time(self, shift: float, words: str):
        now = dt.datetime.now(dt.UTC).timestamp() + shift
        assert words in self.refused(signed(), "InvalidSignatureException", now=now)

    def test_another_service(self):
        assert "scoped" in self.refused(signed(service="s3"), "InvalidSignatureException")

    def test_host_not_signed(self):
        request = signed()
        authorization = request.headers["authorization"].replace("host;", "")
        assert "Host" in self.refused(changed(request, authorization=authorization), "InvalidSignatureException")


class TestCredentialsFile:
    def test_load(self, tmp_path: Path):
        path = tmp_path / "credentials"
        path.write_text(
            "[default]\naws_access_key_id = A\naws_secret_access_key = s%e=c\n[other]\nregion = x\n"
            "[third]\naws_access_key_id=B\naws_secret_access_key=t\n"
        )
        credentials = Credentials.load(path)
        assert dict(credentials.secrets) == {"A": "s%e=c", "B": "t"}
        assert "s%e=c" not in repr(credentials)

    @pytest.mark.parametrize("text", ["", "[default]\nregion = x\n", "nonsense", "[default]\naws_access_key_id = A\n"])
    def test_nothing_in_it(self, tmp_path: Path, text: str):
        path = tmp_path / "credentials"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="credentials file"):
            Credentials.load(path)

    def test_missing(self, tmp_path: Path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            Credentials.load(tmp_path / "missing")
