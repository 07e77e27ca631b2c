from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from polylambda.cli.event import read_client_context, read_event
from polylambda.errors import ConfigurationError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "event.json").write_bytes(b'{"from": "file"}')
    (tmp_path / "123").write_bytes(b'{"odd": "name"}')
    (tmp_path / "bad.json").write_bytes(b"{")
    (tmp_path / "binary").write_bytes(b"\xff")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("event.json", b'{"from": "file"}'),
        ("123", b'{"odd": "name"}'),  # a file is meant when there is one
        ("124", b"124"),
        ("null", b"null"),
        ('{"a": "ä"}', '{"a": "ä"}'.encode()),
        (" [1]", b" [1]"),
        ('"text"', b'"text"'),
    ],
)
def test_file_or_json(source: str, event: bytes):
    assert read_event(source) == event


def test_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"from": "stdin"}')))
    assert read_event("-") == b'{"from": "stdin"}'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nope.json", "there is no event file nope.json"),
        ("bad.json", "the event from bad.json is not JSON: .*line 1 column 2"),
        ("binary", "the event from binary is not JSON"),
        ("{", "the event from --event is not JSON"),
        (".", "the event file . cannot be read: Is a directory"),
        ("", "the event file  ?cannot|there is no event file"),
    ],
)
def test_mistakes_are_one_sentence(source: str, message: str):
    with pytest.raises(ConfigurationError, match=message):
        read_event(source)


def test_standard_input_that_is_not_json(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ConfigurationError, match="standard input is not JSON"):
        read_event("-")


def test_client_context():
    assert read_client_context('{"custom": {}}') == '{"custom": {}}'
    with pytest.raises(ConfigurationError, match="must be a JSON object"):
        read_client_context("[]")
