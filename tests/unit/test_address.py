"""The value of AWS_LAMBDA_RUNTIME_API, and connections to where it says."""

from __future__ import annotations

import _socket
import errno
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.errors import ConfigurationError, ConnectionLost
from polylambda.rapi.address import Address

HALF = ["", "host", ":", ":9001", "host:", "[::1]", "[]:9001"]
NO_PORT = [
    "host:abc",
    "host:0",
    "host:65536",
    "host:-1",
    "host:+1",
    "host: 1",
    "host:1 ",
    "host:" + "9" * 5000,
    "host:٩",
]
NO_HOST = ["[::1]9001", "::1:9001", "[::1:9001", "::1]:9001", "a b:1", " host:1", "host\n:1", "host\0:1", "hôst:1"]
A_URL = ["http://host:9001", "host:9001/", "http://host"]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9001", "127.0.0.1", 9001),
        ("localhost:9001", "localhost", 9001),
        ("169.254.100.1:80", "169.254.100.1", 80),
        ("runtime-api.internal:65535", "runtime-api.internal", 65535),
        ("[::1]:9001", "::1", 9001),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ],
)
def test_what_it_may_be(text: str, host: str, port: int):
    address = Address(text)
    assert (address.host, address.port, address.text) == (host, port, text)
    assert repr(address) == f"Address({text!r})"


@pytest.mark.parametrize("text", HALF + NO_PORT + NO_HOST + A_URL)
def test_what_it_may_not_be(text: str):
    with pytest.raises(ConfigurationError) as caught:
        Address(text)
    assert repr(text) in str(caught.value)
    assert "AWS_LAMBDA_RUNTIME_API" in str(caught.value)
    assert "127.0.0.1:9001" in str(caught.value)


@given(text=st.text() | st.from_regex(r"[a-z\[\]:.% ]*:[0-9]*"))
def test_anything_else(text: str):
    """It is an address, or the error that says so."""
    try:
        address = Address(text)
    except ConfigurationError:
        return
    assert address.host
    assert 0 < address.port < 65536
    assert address.text.isascii()
    assert " " not in address.text


class TestResolving:
    def test_numbers(self):
        assert Address("127.0.0.1:9001").resolve() == [(_socket.AF_INET, ("127.0.0.1", 9001))]
        assert Address("127.0.0.1:9001").resolve(numeric=True) == [(_socket.AF_INET, ("127.0.0.1", 9001))]
        assert Address("[::1]:9001").resolve(numeric=True) == [(_socket.AF_INET6, ("::1", 9001, 0, 0))]

    def test_names(self):
        addresses = [address[0] for _, address in Address("localhost:9001").resolve()]
        assert set(addresses) <= {"127.0.0.1", "::1"}
        assert addresses
        assert Address("localhost:9001").resolve(numeric=True) == []

    @pytest.mark.parametrize("host", ["a" * 300, "a..b"])  # such as no name server is asked for
    def test_names_that_nobody_has(self, host: str):
        with pytest.raises(ConnectionLost, match=rf"no Runtime API at {host}:9001 \(AWS_LAMBDA_RUNTIME_API\): "):
            Address(f"{host}:9001").resolve()

    def test_an_ascii_name_does_not_cost_the_codec_for_others(self):
        """Importing it would be a good part of a cold start."""
        code = (
            "import sys; from polylambda.rapi.address import Address; Address('127.0.0.1:9001').resolve(); "
            "sys.exit('encodings.idna' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestConnecting:
    def test_nothing_there(self):
        with pytest.raises(ConnectionLost) as caught:
            Address(f"127.0.0.1:{a_free_port()}").connect(lambda: False)
        assert str(caught.value).endswith("(AWS_LAMBDA_RUNTIME_API): Connection refused")
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)

    def test_what_comes_out_blocks_and_does_not_dawdle(self):
        listener = _socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sock = Address(f"127.0.0.1:{listener.getsockname()[1]}").connect(lambda: False)
        assert sock.gettimeout() is None
        assert sock.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY)
        sock.close()
        listener.close()

    @pytest.mark.parametrize(
        ("reason", "text"),
        [
            (None, "it has no address"),
            (TimeoutError(), "timed out"),
            (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
            (_socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        ],
    )
    def test_reasons(self, reason: OSError | None, text: str):
        error = Address("127.0.0.1:9001").unreachable(reason)
        assert str(error) == f"no Runtime API at 127.0.0.1:9001 (AWS_LAMBDA_RUNTIME_API): {text}"


def a_free_port() -> int:
    sock = _socket.socket()
    sock.bind(("127.0.0.1", 0))
    port: int = sock.getsockname()[1]
    sock.close()
    return port
