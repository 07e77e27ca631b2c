"""Logging and printing in processes of their own: descriptors, frames, sockets, threads, signals, forks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

# The alarm ends what waits for itself.
START = """
import logging, os, signal, sys, threading
signal.alarm(30)
from polylambda import logs
from polylambda.context import CURRENT
from polylambda.settings import Settings

class Context:
    tenant_id = None
    def __init__(self, aws_request_id):
        self.aws_request_id = aws_request_id

logs.setup(Settings())
log = logging.getLogger("app")
"""


def script(source: str) -> list[str]:
    return [sys.executable, "-c", START + textwrap.dedent(source)]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, **variables}


def run(source: str, *, pass_fds: tuple[int, ...] = (), **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        script(source), env=environment(**variables), capture_output=True, check=True, timeout=50, pass_fds=pass_fds
    )


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Take frames apart as the platform does: type and message."""
    found = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        found.append((int.from_bytes(data[:4], "big"), data[16 : 16 + length]))
        data = data[16 + length :]
    return found


def run_framed(source: str, **variables: str) -> tuple[list[tuple[int, bytes]], bytes]:
    """Run with a framed log descriptor; return the frames, and what went to stdout all the same."""
    reader, writer = os.pipe()
    received = bytearray()

    def read() -> None:
        while data := os.read(reader, 1 << 16):
            received.extend(data)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        done = run(source, pass_fds=(writer,), _LAMBDA_TELEMETRY_LOG_FD=str(writer), **variables)
    finally:
        os.close(writer)
        thread.join()
        os.close(reader)
    return frames(bytes(received)), done.stdout


def test_eight_threads_do_not_tear_each_others_lines():
    source = """
    def work(number):
        CURRENT.set(Context(f"req-{number}"))
        text = str(number) * (10 * 1024)
        for _ in range(500):
            log.warning(text)
            print(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    """
    lines = run(source, AWS_LAMBDA_LOG_FORMAT="JSON").stdout.splitlines()
    assert len(lines) == 8 * 1000
    for line in lines:
        fields = json.loads(line)
        assert fields["message"] == fields["requestId"].removeprefix("req-") * 10 * 1024


SPEAK = """
CURRENT.set(Context("req-1"))
log.info("hello")
log.error("two\\nlines")
print("printed")
logs.write("as it is")
from polylambda.report import ErrorReport
logs.log_error(ErrorReport("ValueError", "bad", "req-1", ['  File "app.py", line 3, in f\\n']))
"""


def test_frames_of_json_tell_the_level_and_hold_what_is_printed():
    received, stdout = run_framed(SPEAK, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    assert [kind for kind, _ in received] == [0xA55A000E, 0xA55A0016, 0xA55A000E, 0xA55A0003, 0xA55A0016]
    assert [json.loads(received[place][1]).get("message") for place in (0, 1, 2)] == ["hello", "two\nlines", "printed"]
    assert received[3][1] == b"as it is"
    assert json.loads(received[4][1])["errorType"] == "ValueError"
    assert not received[4][1].endswith(b"\n")
    assert stdout == b""


def test_frames_of_text_keep_lines_together_and_leave_printing_to_stdout():
    received, stdout = run_framed(SPEAK, AWS_LAMBDA_LOG_LEVEL="INFO")
    assert [kind for kind, _ in received] == [0xA55A000F, 0xA55A0017, 0xA55A0003, 0xA55A0017]
    assert received[1][1].endswith(b"\treq-1\ttwo\nlines\n")
    assert received[3][1].decode().splitlines() == [
        "[ERROR] ValueError: bad",
        "Traceback (most recent call last):",
        '\u00a0\u00a0File "app.py", line 3, in f',
    ]
    assert stdout == b"printed\n"


def test_frames_of_text_tell_no_level_when_none_is_configured():
    received, _ = run_framed('log.error("bad")')
    assert [kind for kind, _ in received] == [0xA55A0003]


def test_a_child_process_does_not_inherit_the_log_descriptor():
    source = """
    import subprocess
    fd = logs.setup(Settings({"_LAMBDA_TELEMETRY_LOG_FD": str(os.dup(1))})).fd
    code = f"import os, sys; os.environ.get('_LAMBDA_TELEMETRY_LOG_FD') is None or sys.exit(1); os.fstat({fd})"
    child = subprocess.run([sys.executable, "-c", code], close_fds=False, stderr=subprocess.PIPE)
    print("Bad file descriptor" in child.stderr.decode())
    """
    assert run(source).stdout == b"True\n"


def test_the_log_socket_takes_stdout_and_stderr_each_on_a_connection(tmp_path):
    path = str(tmp_path / "log.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()
        source = f"""
        from polylambda.sinks import connect_output
        print("before", end="")
        connect_output({path!r})
        log.warning("logged")
        print("printed", flush=True)
        print("complaint", file=sys.stderr)
        os.write(1, b"from C\\n")
        """
        done = run(source)
        received = []
        for _ in range(2):
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                received.append(stream.read())
    assert (done.stdout, done.stderr) == (b"before", b"")
    assert received[0].startswith(b"[WARNING]\t")
    assert received[0].endswith(b"\tlogged\nprinted\nfrom C\n")
    assert received[1] == b"complaint\n"


def test_a_log_socket_where_nobody_listens_is_named(tmp_path):
    source = f"""
    from polylambda.errors import ConfigurationError
    from polylambda.sinks import connect_output
    try:
        connect_output({str(tmp_path / "none.sock")!r})
    except ConfigurationError as error:
        print(error)
    """
    assert b"_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET=" in run(source).stdout


def test_a_signal_handler_may_print_while_a_write_waits():
    source = """
    signal.signal(signal.SIGUSR1, lambda *_: print("from the signal handler"))
    sys.__stderr__.write("ready\\n")
    sys.__stderr__.flush()
    print("x" * (1 << 20))
    """
    with subprocess.Popen(script(source), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == b"ready\n"
        assert process.stdout.read(1) == b"x"  # it writes, and waits: a pipe holds less
        process.send_signal(signal.SIGUSR1)
        out = process.stdout.read()
        assert process.wait() == 0
    assert b"from the signal handler\n" in out
    assert out.count(b"x") == (1 << 20) - 1


def test_a_child_forked_while_another_thread_writes_can_write():
    source = """
    reader, writer = os.pipe()
    from polylambda import sinks
    started = threading.Event()

    def write(fd, data):
        started.set()
        return os.write(fd, data)

    thread = threading.Thread(target=sinks.write_all, args=(writer, b"x" * (1 << 20), write))
    thread.start()
    started.wait()
    import warnings
    warnings.simplefilter("ignore")  # 3.12 dislikes forks of threaded processes, and rightly so
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # it is not inherited
        print("from the child")
        os._exit(0)
    os.waitpid(child, 0)
    left = 1 << 20
    while left:
        left -= len(os.read(reader, left))
    thread.join()
    """
    assert run(source).stdout == b"from the child\n"


def test_what_is_written_beneath_python_is_untouched():
    source = """
    import faulthandler, subprocess
    os.write(1, b"raw\\n")
    faulthandler.dump_traceback()
    subprocess.run([sys.executable, "-c", "print('child')"], stdout=sys.stdout)
    """
    done = run(source, AWS_LAMBDA_LOG_FORMAT="JSON")
    assert done.stdout == b"raw\nchild\n"
    assert b"most recent call first" in done.stderr


def test_a_warning_in_json_is_one_record_a_message():
    source = """
    import warnings
    warnings.simplefilter("always")
    warnings.warn("old", DeprecationWarning)
    """
    done = run(source, AWS_LAMBDA_LOG_FORMAT="JSON")
    first = json.loads(done.stdout.splitlines()[0])
    assert first["level"] == "WARNING"
    assert "DeprecationWarning: old" in first["message"]
    assert done.stderr == b""


def test_logging_imports_nothing_that_a_cold_start_would_wait_for():
    source = """
    heavy = "typing dataclasses inspect asyncio msgspec socket tempfile uuid datetime decimal pathlib urllib http".split()
    print([name for name in (*heavy, "polylambda.report") if name in sys.modules])
    """
    assert run(source).stdout == b"[]\n"
