"""What a process has one of, for its operating system: files, the working directory, the environment, signals."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

FILE = Rule(
    id="LMI201",
    name="fixed-path-written",
    summary="A file with a fixed path is written; every invocation writes the same file.",
    why={
        Mode.TASK: "all invocations of the environment write it",
        Mode.THREAD: "all invocations of the environment write it",
        Mode.PROCESS: "processes do not share memory, but they share `/tmp`",
    },
    production=(
        "A report contains the lines of two customers, or half of one: an invocation has written the file between "
        "another one's writing and reading. One that clears up removes what others are about to read. Separate "
        "processes do not help: the environment has one file system, and `/tmp` is the only folder that can be written."
    ),
    fix=(
        "Write below `context.tmp_dir`, a folder that belongs to the invocation and is removed after it. Without "
        "polylambda's context: `tempfile.TemporaryDirectory()`, `tempfile.NamedTemporaryFile()`, or a name with "
        '`context.aws_request_id` in it. Small things stay in memory: `io.BytesIO`, `sqlite3.connect(":memory:")`.'
    ),
    unsafe=code(
        """
        def handler(event, context):
            with open("/tmp/report.csv", "w") as file:
                file.writelines(f"{line}\\n" for line in event["lines"])
            with open("/tmp/report.csv") as file:
                return file.read()
        """
    ),
    safe=code(
        """
        def handler(event, context):
            path = context.tmp_dir / "report.csv"
            with open(path, "w") as file:
                file.writelines(f"{line}\\n" for line in event["lines"])
            with open(path) as file:
                return file.read()
        """
    ),
)

FOLDER = Rule(
    id="LMI202",
    name="working-directory-changed",
    summary="The working directory is changed for the whole process.",
    why={
        Mode.TASK: "relative paths of all other invocations lead elsewhere from now on",
        Mode.THREAD: "relative paths of all other invocations lead elsewhere from now on",
    },
    production=(
        "`FileNotFoundError` for files that are there, in invocations that changed nothing; or files of one customer in "
        "the folder of another. When a temporary folder is removed while it is the working directory, even "
        "`os.getcwd()` fails, in all invocations."
    ),
    fix="Write absolute paths: `folder / name`. Give a child process its folder: `subprocess.run(..., cwd=folder)`.",
    unsafe=code(
        """
        import os
        import subprocess


        def handler(event, context):
            os.chdir(context.tmp_dir)
            subprocess.run(["unzip", event["archive"]], check=True)
            return os.listdir()
        """
    ),
    safe=code(
        """
        import os
        import subprocess


        def handler(event, context):
            subprocess.run(["unzip", event["archive"]], check=True, cwd=context.tmp_dir)
            return os.listdir(context.tmp_dir)
        """
    ),
)

ENVIRONMENT = Rule(
    id="LMI203",
    name="environment-written",
    summary="An environment variable is written for the whole process.",
    why={
        Mode.TASK: "all invocations read the same variables, and so do the libraries that they call",
        Mode.THREAD: "all invocations read the same variables; `setenv` below them is not even safe in threads",
    },
    production=(
        "A library takes its tenant, its proxy or its profile from the environment, and a handler sets it for each "
        "request. Requests are billed to the tenant that came last."
    ),
    fix=(
        "Give the library the value as an argument or in its configuration object. Give a child process an environment "
        'of its own: `subprocess.run(..., env={**os.environ, "TENANT": tenant})`. Variables that are the same for all '
        "requests are set at import. Where nothing else works, run in `process` mode."
    ),
    unsafe=code(
        """
        import os
        import subprocess


        def handler(event, context):
            os.environ["TENANT"] = event["tenant"]
            done = subprocess.run(["/opt/bin/invoice"], capture_output=True, check=True)
            return done.stdout.decode()
        """
    ),
    safe=code(
        """
        import os
        import subprocess


        def handler(event, context):
            environment = {**os.environ, "TENANT": event["tenant"]}
            done = subprocess.run(["/opt/bin/invoice"], capture_output=True, check=True, env=environment)
            return done.stdout.decode()
        """
    ),
)

UMASK = Rule(
    id="LMI204",
    name="umask-changed",
    summary="The umask is changed for the whole process.",
    why={
        Mode.TASK: "files of all other invocations get the mode that is meant for one",
        Mode.THREAD: "files of all other invocations get the mode that is meant for one",
    },
    production=(
        "Files that another program should read cannot be read, or private ones can, for as long as some invocation has "
        "the mask set. Two that set it back in the wrong order leave it changed for good."
    ),
    fix="Make the file with its mode, `os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)`, or change that afterwards with `os.chmod`.",
    unsafe=code(
        """
        import os


        def handler(event, context):
            before = os.umask(0o077)
            try:
                (context.tmp_dir / "key.pem").write_text(event["key"])
            finally:
                os.umask(before)
        """
    ),
    safe=code(
        """
        import os


        def handler(event, context):
            path = context.tmp_dir / "key.pem"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(event["key"])
        """
    ),
)

SIGNAL = Rule(
    id="LMI205",
    name="signal-handler-changed",
    summary="A signal handler, alarm or timer of the whole process is changed.",
    why={
        Mode.TASK: "there is one alarm: it goes off in whatever invocation runs at that moment",
        Mode.THREAD: "there is one alarm, and `signal.signal` raises ValueError in any thread but the main one",
    },
    production=(
        "A time limit by `signal.alarm` interrupts another invocation than the one that set it, or none, as the second "
        "invocation has set the alarm anew. In threads every invocation fails: only the main thread may set handlers. A "
        "handler for SIGTERM takes away the one that lets the runtime finish its work."
    ),
    fix=(
        "Limit the call itself: the timeout of the library, `asyncio.timeout(2)` in a coroutine, "
        "`context.get_remaining_time_in_millis()` in a loop. What must happen at the end belongs into the lifespan."
    ),
    unsafe=code(
        """
        import signal


        def give_up(number, frame):
            raise TimeoutError


        def handler(event, context):
            signal.signal(signal.SIGALRM, give_up)
            signal.alarm(2)
            try:
                return sum(number**2 for number in range(event["to"]))
            finally:
                signal.alarm(0)
        """
    ),
    safe=code(
        """
        import time


        def handler(event, context):
            give_up = time.monotonic() + 2
            total = 0
            for number in range(event["to"]):
                if time.monotonic() > give_up:
                    raise TimeoutError
                total += number**2
            return total
        """
    ),
)
