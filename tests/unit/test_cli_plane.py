from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from polylambda import cli
from polylambda.cli import load as cli_load
from polylambda.cli import up as cli_up
from polylambda.plane.arrivals import Ramp
from polylambda.plane.contact import Contact
from polylambda.plane.load import LoadOptions
from polylambda.plane.options import PlaneOptions

HERE = Path(".polylambda")


class Calls:
    """Stands in for what the commands lead to."""

    def __init__(self) -> None:
        self.options: Any = None
        self.rest: Any = None

    def up(self, options: PlaneOptions, sources: tuple[Path, ...], **rest: Any) -> Calls:
        self.options, self.rest = options, {"sources": sources, **rest}
        return self

    def run(self) -> int:
        return 0

    def run_load(self, options: LoadOptions, there: Contact) -> int:
        self.options, self.rest = options, there
        return 1


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    calls = Calls()
    monkeypatch.setattr(cli_up, "Up", calls.up)
    monkeypatch.setattr(cli_load, "run_load", calls.run_load)
    monkeypatch.chdir(tmp_path)
    return calls


@pytest.fixture
def running(tmp_path: Path) -> Contact:
    """What a plane leaves in its data directory while it runs."""
    folder = tmp_path / HERE
    folder.mkdir()
    (folder / "plane.json").write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:9400", "token": "secret"}))
    return Contact(1, "http://127.0.0.1:9400", "secret")


class TestUp:
    def test_defaults(self, calls: Calls):
        assert cli.main(["up"]) == 0
        assert calls.options == PlaneOptions(data_dir=HERE)
        assert calls.rest == {"sources": (), "parameters": {}, "watch": False}

    def test_every_option(self, calls: Calls):
        line = "--host ::1 --port 0 --data-dir d --time-scale 20 --cores-per-vcpu 0.5 --region eu-west-1 --watch"
        more = "--parameter A=1 --parameter B=x=y --credentials-file c"
        assert cli.main(["up", "template.yaml", "folder", *line.split(), *more.split()]) == 0
        assert calls.options == PlaneOptions(
            host="::1",
            port=0,
            data_dir=Path("d"),
            time_scale=20,
            cores_per_vcpu=0.5,
            region="eu-west-1",
            credentials_file=Path("c"),
        )
        assert calls.rest == {
            "sources": (Path("template.yaml"), Path("folder")),
            "parameters": {"A": "1", "B": "x=y"},
            "watch": True,
        }


class TestLoad:
    def test_defaults(self, calls: Calls, running: Contact):
        assert cli.main(["load", "orders"]) == 1
        assert calls.options == LoadOptions(
            function="orders", event=b"{}", ramp=Ramp(first=20, rate=20, ramp=0, hold=30)
        )
        assert calls.rest == running

    @pytest.mark.usefixtures("running")
    def test_a_ramp_begins_low(self, calls: Calls):
        cli.main(["load", "orders", "--rate", "50", "--ramp", "10"])
        assert calls.options.ramp == Ramp(first=5, rate=50, ramp=10, hold=30)

    @pytest.mark.usefixtures("running")
    def test_every_option(self, calls: Calls, tmp_path: Path):
        (tmp_path / "c").write_text("[default]\naws_access_key_id = key\naws_secret_access_key = secret\n")
        line = "--credentials-file c --from 2 --rate 50 --ramp 10 --hold 0 --settle 60 --poisson --seed 7 --limit 10 --timeout 5 --interval 1"
        assert cli.main(["load", "orders:live", "--event", '{"a": 1}', *line.split()]) == 1
        assert calls.options == LoadOptions(
            function="orders:live",
            event=b'{"a": 1}',
            ramp=Ramp(first=2, rate=50, ramp=10, hold=0),
            settle=60,
            poisson=True,
            seed=7,
            limit=10,
            timeout=5,
            interval=1,
            credentials=("key", "secret"),
        )


class TestLogs:
    @pytest.fixture(autouse=True)
    def log(self, tmp_path: Path) -> Path:
        folder = tmp_path / HERE / "logs"
        (folder / "capacity-provider").mkdir(parents=True)
        (folder / "orders.jsonl").write_text("".join(f'{{"line": {number}}}\n' for number in range(30)))
        (folder / "orders.1.jsonl").write_text("older\n")
        (folder / "capacity-provider" / "tea-shop.jsonl").write_text('{"message": "Launched"}\n')
        return folder / "orders.jsonl"

    def test_last_lines(self, capfd: pytest.CaptureFixture[str]):
        assert cli.main(["logs", "orders"]) == 0
        assert capfd.readouterr().out.splitlines() == [f'{{"line": {number}}}' for number in range(10, 30)]
        assert cli.main(["logs", "orders", "-n", "1"]) == 0
        assert capfd.readouterr().out == '{"line": 29}\n'

    def test_capacity_provider(self, capfd: pytest.CaptureFixture[str]):
        assert cli.main(["logs", "tea-shop", "--provider"]) == 0
        assert capfd.readouterr().out == '{"message": "Launched"}\n'

    def test_no_such_log(self, capsys: pytest.CaptureFixture[str]):
        assert cli.main(["logs", "nope"]) == cli.USAGE
        assert "nope has no log" in (said := capsys.readouterr().err)
        assert "logs there are: orders\n" in said


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("up --parameter nonsense", "KEY=VALUE"),
        ("up --time-scale 0", "--time-scale"),
        ("up --time-scale 5000", "--time-scale 5000"),
        ("up --port 99999", "--port"),
        ("ps", "polylambda up"),
        ("down", "polylambda up"),
        ("load orders", "polylambda up"),
        ("load", "FUNCTION"),
        ("load orders --rate 0", "--rate"),
        ("load orders --event {", "not JSON"),
        ("logs ../secret", "is no name"),
        ("logs orders", "there are no logs yet"),
    ],
)
def test_mistakes_are_one_sentence(line: str, names: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(line.split()) == cli.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("polylambda: ")
    assert printed.err.count("\n") == 1
    assert names in printed.err


def test_a_status_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / HERE).mkdir()
    (tmp_path / HERE / "plane.json").write_text("{}")
    assert cli.main(["ps"]) == cli.USAGE
    assert "does not say where the plane is" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "ps", "down", "logs", "load"])
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Examples:" in printed
    assert f"polylambda {command}" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for name in [name for name in sys.modules if name.startswith(("polylambda.plane", "polylambda.cli.up"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setitem(sys.modules, "botocore", None)
    assert cli.main(["up"]) == cli.USAGE
    assert "pip install 'polylambda[plane]'" in capsys.readouterr().err
