"""A bucket for trying things out, on this machine: `pip install 'moto[server]'`.

`python bucket.py start` starts a server with the bucket `tea-shop` and prints the variables that name it;
`python bucket.py stop` ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import botocore.session

BUCKET = "tea-shop"
OBJECTS = {"orders/1.csv": b"tea,2\nsalt,1\n", "orders/2.csv": b"milk,1\n", "notes.txt": b"closed on Sunday\n"}
RUNNING = Path("bucket.pid")


@contextlib.contextmanager
def running() -> Generator[dict[str, str]]:
    """Run a server for a while; yield the variables for its clients."""
    process, variables = launch()
    try:
        yield variables
    finally:
        process.terminate()
        process.wait()


def launch() -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start a server in a process of its own; return that, and the variables for its clients."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--port", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            if process.poll() is not None:
                sys.exit("moto's server did not start: pip install 'moto[server]'")
            time.sleep(0.05)
        else:
            break
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    fill(variables["AWS_ENDPOINT_URL_S3"])
    return process, variables


def fill(endpoint: str) -> None:
    s3 = botocore.session.get_session().create_client(
        "s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id="none", aws_secret_access_key="none"
    )
    s3.create_bucket(Bucket=BUCKET)
    for key, body in OBJECTS.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            process, variables = launch()
            RUNNING.write_text(str(process.pid))
            for name, value in variables.items():
                print(f"{name}={value}")
        case ["stop"]:
            os.kill(int(RUNNING.read_text()), signal.SIGTERM)
            RUNNING.unlink()
        case _:
            sys.exit("usage: python bucket.py start|stop")
