"""The AWS CLI, imported once: it takes most of a second, and tests and pages have dozens of its commands.

    python aws_cli_process.py serve SOCKET           with the AWS CLI's Python: until its standard input ends
    python -I -S aws_cli_process.py SOCKET WORD...   `aws WORD...`, in the folder, with the variables and files of the caller

The first forks a process for each of the second, which does what `python -m awscli` does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False  # of typing, whose import takes longer than a command is under way here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def serve(address: str) -> None:
    import awscli.clidriver
    import awscli.handlers

    assert awscli.handlers  # which its driver imports with the first command
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                run(connection, awscli.clidriver.main)
            connection.close()


def run(connection: socket.socket, main: Callable[[], int]) -> NoReturn:
    """Do one command, in a process that is the caller's as far as the command can see."""
    status = 255
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        data, files, _, _ = socket.recv_fds(connection, 1, 3)
        while piece := connection.recv(1 << 16):
            data += piece
        words, folder, variables = json.loads(data[1:])
        for target, source in enumerate(files):
            os.dup2(source, target)
            os.close(source)
        os.chdir(folder)
        data_path = os.environ["AWS_DATA_PATH"]  # set by the import
        os.environ.clear()
        os.environ.update({"AWS_DATA_PATH": data_path, **variables})
        sys.argv = ["aws", *words]
        status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([status & 0xFF]))
        os._exit(0)


def ask(address: str, words: list[str]) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(json.dumps([words, os.getcwd(), dict(os.environ)]).encode())
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(1)[0]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
