from __future__ import annotations

import socket

import pytest

from polylambda.errors import ConfigurationError
from polylambda.local.http import listen, url


def test_url_of_any_free_port():
    with listen("127.0.0.1", 0) as sock:
        assert url(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_url_when_listening_on_every_address():
    with listen("0.0.0.0", 0) as sock:
        assert url(sock).startswith("http://127.0.0.1:")


def test_ipv6():
    try:
        sock = listen("::1", 0)
    except ConfigurationError:
        pytest.skip("this machine has no IPv6 loopback")
    with sock:
        assert url(sock).startswith("http://[::1]:")


def test_port_in_use():
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"^port {port} of 127\.0\.0\.1 is in use .* --port"):
            listen("127.0.0.1", port)


def test_no_such_host(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ConfigurationError, match="there is no host 'nope'"):
        listen("nope", 0)


def test_what_can_be_no_host():
    with pytest.raises(ConfigurationError, match="there is no host"):
        listen("x" * 64, 0)


def test_address_of_another_machine():
    with pytest.raises(ConfigurationError, match="cannot listen"):
        listen("192.0.2.1", 0)


def test_who_listens_says_how_another_port_is_chosen():
    with listen("127.0.0.1", 0) as sock, pytest.raises(ConfigurationError, match=r": end it, or think of another$"):
        listen("127.0.0.1", sock.getsockname()[1], advice="think of another")
