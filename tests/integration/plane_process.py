"""A plane as a process of its own, so that it can be killed; boto3 in front of it, and a look at what it left behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import boto3
import psutil
from botocore.config import Config

from polylambda.plane import processes

ROLE = "arn:aws:iam::123456789012:role/any"
PATIENCE = 40.0


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """Return what `condition` returns, once it is true."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} seconds: {what}"
        time.sleep(0.02)


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "."))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


class PlaneProcess:
    """`with PlaneProcess(folder) as plane: plane.client`; `kill` and `start` it again as often as you like."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._command = [sys.executable, "-m", "polylambda.plane", "--data-dir", str(folder), "--port", "0", *options]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            assert process.stdout is not None
            process.stdout.close()
            assert status == 0
        assert self.left_running() == []

    def start(self) -> None:
        process = self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        assert self.url, "the plane did not start"
        # Nothing is tried again here: a test wants to see every answer.
        config = Config(max_pool_connections=50, retries={"max_attempts": 0}, read_timeout=PATIENCE)
        self.client = boto3.client("lambda", endpoint_url=self.url, config=config)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        assert self._process is not None
        status = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return status

    def left_running(self) -> list[psutil.Process]:
        """Return the processes that this plane, or one before it, started and that still run."""
        token = (self.folder / "process-mark").read_text()
        return processes.find(processes.marks(token))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path) as response:
            return json.load(response)

    def fleet(self) -> Any:
        return self.get("/polylambda/fleet")

    def log(self, function: str) -> list[Any]:
        path = self.folder / "logs" / f"{function}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ready(self, function: str) -> list[Any]:
        """Return the environments of a function that are Ready."""
        return [
            each
            for each in self.fleet()["environments"]
            if f":function:{function}:" in each["version"] and each["state"] == "Ready"
        ]

    def create_provider(self, name: str = "pool", **changes: Any) -> str:
        created = self.client.create_capacity_provider(
            CapacityProviderName=name,
            VpcConfig={"SubnetIds": ["subnet-1", "subnet-2", "subnet-3"], "SecurityGroupIds": []},
            PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
            **changes,
        )
        return created["CapacityProvider"]["CapacityProviderArn"]

    def create_function(self, name: str, provider: str, code: bytes, *, slots: int = 4, **changes: Any) -> None:
        self.client.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": ROLE,
                "Code": {"ZipFile": code},
                "MemorySize": 2048,
                "Timeout": 10,
                "CapacityProviderConfig": {
                    "LambdaManagedInstancesCapacityProviderConfig": {
                        "CapacityProviderArn": provider,
                        "PerExecutionEnvironmentMaxConcurrency": slots,
                    }
                },
                **changes,
            }
        )

    def publish(self, name: str) -> str:
        """Publish a version and wait until it is Active."""
        number = self.client.publish_version(FunctionName=name)["Version"]
        wait_until(lambda: self.state(name, number) == "Active", f"{name}:{number} is Active")
        return number

    def state(self, name: str, qualifier: str) -> str:
        return self.client.get_function_configuration(FunctionName=name, Qualifier=qualifier)["State"]

    def invoke(self, name: str, event: object, qualifier: str = "1", **changes: Any) -> Any:
        response = self.client.invoke(
            FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event).encode(), **changes
        )
        body = response["Payload"].read()
        return json.loads(body) if body else None
