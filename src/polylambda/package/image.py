"""A container image's build context: the function's files, and a Dockerfile that is written to be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from polylambda.package import archive
from polylambda.package.label import TASK_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polylambda.package.stage import Entry
    from polylambda.package.target import Target

LOCAL = "local"
"""The stage with AWS's runtime interface emulator."""

_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}

# The system's release is in the tag, so that a rebuild does not change it; `slim` has a shell, a C library and
# certificates, and nothing to build with.
_DOCKERFILE = """\
# Written by `polylambda package {handler} --kind image`, for review: nothing is in the image but what it says.
# {task}/ holds the function and all it imports, as wheels for Python {version} on {architecture}: build for {platform}.
# To have the very same image in a year, add the digest of today's to the names of images (name:tag@sha256:...).

FROM public.ecr.aws/docker/library/python:{version}-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \\
    LAMBDA_TASK_ROOT=/var/task
WORKDIR /var/task
COPY {task}/ /var/task/
# Lambda runs the image as a user of its own; everywhere else it is nobody, who can write nowhere but in /tmp.
USER 65534:65534
CMD {command}

# For this machine only, with AWS's emulator: docker build --target {local} .
FROM base AS {local}
COPY --from=public.ecr.aws/lambda/python:{version} /usr/local/bin/aws-lambda-rie /usr/local/bin/aws-lambda-rie
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/aws-lambda-rie", "python", "-m", "polylambda"]

# What Lambda runs; the last stage is the one that is built when none is named.
FROM base AS function
ENTRYPOINT ["python", "-m", "polylambda"]
"""

_IGNORE = f"""\
# Nothing goes into the image but the function.
*
!{TASK_FOLDER}
"""


def dockerfile(target: Target, handler: str) -> str:
    """Return the Dockerfile of a function."""
    return _DOCKERFILE.format(
        handler=handler,
        task=TASK_FOLDER,
        version=target.python,
        architecture=target.architecture,
        platform=platform_of(target),
        command=json.dumps([handler]),
        local=LOCAL,
    )


def write_context(entries: Sequence[Entry], target: Target, handler: str, out: Path) -> None:
    """Write Dockerfile, .dockerignore and the function's files into `out`.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    archive.write_folder(entries, out / TASK_FOLDER)
    for name, text in (("Dockerfile", dockerfile(target, handler)), (".dockerignore", _IGNORE)):
        archive.write_text(out / name, text)


def platform_of(target: Target) -> str:
    """Return the target's platform as container engines have it."""
    return _PLATFORMS[target.architecture]
