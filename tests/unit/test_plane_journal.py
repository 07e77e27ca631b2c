"""Logs on disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from polylambda.plane import journal as journal_module
from polylambda.plane.journal import FLUSH_AFTER, Journal
from tests.unit import virtual_loop


def test_lines_of_a_function_are_written_a_moment_later_in_their_order(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path)
        journal.function("f", b'{"n": 1}')
        journal.function("f", b'{"n": 2}')
        journal.function("g", b'{"n": 3}')
        assert not journal.function_log("f").exists()
        await asyncio.sleep(FLUSH_AFTER * 2)
        assert journal.function_log("f").read_text() == '{"n": 1}\n{"n": 2}\n'
        assert journal.function_log("g").read_text() == '{"n": 3}\n'
        journal.function("f", b'{"n": 4}')
        journal.flush()
        assert journal.function_log("f").read_text().endswith('{"n": 4}\n')

    virtual_loop.run(main())


def test_what_every_environment_says_is_written_once_for_each_function(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path)
        for function, time, text in (("f", 1, "a"), ("f", 2, "a"), ("g", 3, "a"), ("f", 4, "b"), ("f", 5, "a")):
            journal.function_once(function, json.dumps({"time": time, "type": "polylambda", "record": text}).encode())
        journal.flush()
        times = {
            function: [json.loads(line)["time"] for line in journal.function_log(function).read_text().splitlines()]
            for function in ("f", "g")
        }
        assert times == {"f": [1, 4], "g": [3]}

    virtual_loop.run(main())


def test_events_of_an_instance_have_the_form_of_aws_and_respect_the_level(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path)
        for level in ("DEBUG", "INFO", "WARN"):
            journal.provider(
                "pool",
                f"a {level}",
                arn="arn:pool",
                instance="i-1",
                zone="us-east-1a",
                instance_type="m7i.large",
                level=level,
                threshold="INFO",
            )
        journal.flush()
        records = [json.loads(line) for line in journal.provider_log("pool").read_text().splitlines()]
        assert [(record["level"], record["message"]) for record in records] == [("INFO", "a INFO"), ("WARN", "a WARN")]
        assert records[0]["metadata"] == {
            "instanceId": "i-1",
            "availabilityZones": ["us-east-1a"],
            "instanceTypes": ["m7i.large"],
            "capacityProviderArn": "arn:pool",
        }

    virtual_loop.run(main())


def test_a_log_that_is_full_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_SIZE", 10)

    async def main() -> None:
        journal = Journal(tmp_path)
        for line in (b"the first", b"the second", b"x"):
            journal.function("f", line)
            journal.flush()
        assert journal.function_log("f").read_bytes() == b"x\n"
        assert (tmp_path / "f.1.jsonl").read_bytes() == b"the first\nthe second\n"

    virtual_loop.run(main())


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path)
        journal.function_log("f").mkdir()
        journal.function("f", b"lost")
        journal.function("g", b"kept")
        journal.flush()
        assert journal.function_log("g").read_bytes() == b"kept\n"

    virtual_loop.run(main())
