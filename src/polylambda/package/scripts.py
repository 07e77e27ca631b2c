"""The two shell scripts by which polylambda takes over an environment: the wrapper and the bootstrap."""

from __future__ import annotations

WRAPPER = "polylambda-wrapper"
BOOTSTRAP = "bootstrap"
PYTHON_FOLDER = "polylambda-python"
"""Where a bootstrap's own interpreter is; no name that could be imported."""

_WRAPPER = """\
#!/bin/sh
# AWS_LAMBDA_EXEC_WRAPPER names this file: Lambda runs it in place of its own Python runtime, with that runtime's command
# line as arguments. The first of them is the interpreter.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
export PYTHONPATH="{opt}/python/lib/python{version}/site-packages:{opt}/python:${{PYTHONPATH:-/var/runtime}}"
cd "${{LAMBDA_TASK_ROOT:-/var/task}}" || exit 1
exec "$1" -m polylambda
"""

_BOOTSTRAP = """\
#!/bin/sh
# Lambda runs this file in an environment without a runtime of its own, such as provided.al2023.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
task="${{LAMBDA_TASK_ROOT:-/var/task}}"
home="$task/{folder}"
certificates=/etc/pki/tls/certs/ca-bundle.crt
if [ -z "$SSL_CERT_FILE" ] && [ -f "$certificates" ]; then export SSL_CERT_FILE="$certificates"; fi
export PYTHONHOME="$home"
export PYTHONPATH="/opt/python/lib/python{version}/site-packages:/opt/python${{PYTHONPATH:+:$PYTHONPATH}}"
export LD_LIBRARY_PATH="$home/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
cd "$task" || exit 1
exec "$home/bin/python{version}" -m polylambda
"""


def wrapper(version: str, *, in_layer: bool = False) -> str:
    """Return the wrapper for Python `version`. In a layer it finds its packages beside itself, so /opt."""
    return _WRAPPER.format(version=version, opt="${0%/*}" if in_layer else "/opt")


def bootstrap(version: str) -> str:
    """Return the bootstrap for a bundled Python `version`."""
    return _BOOTSTRAP.format(version=version, folder=PYTHON_FOLDER)
