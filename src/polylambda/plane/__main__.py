"""`python -m polylambda.plane --data-dir FOLDER`: a plane in the foreground, without the comforts of `polylambda up`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda import loop
from polylambda.errors import ConfigurationError
from polylambda.plane.options import DEFAULT_PORT, PlaneOptions
from polylambda.plane.plane import FORCED, serve

if TYPE_CHECKING:
    from polylambda.plane.plane import Plane


def main() -> None:
    """Run a plane until it is told to end; its URL is the first line of its output."""
    parser = argparse.ArgumentParser(prog="python -m polylambda.plane", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder for everything that outlives the plane")
    parser.add_argument("--host", default="127.0.0.1", help="address of the API (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="its port, 0 for any (default: %(default)s)")
    parser.add_argument("--time-scale", type=float, default=1.0, help="plane seconds in a second (default: 1)")
    parser.add_argument("--cores-per-vcpu", type=float, help="how much of a core a vCPU is worth")
    parser.add_argument("--region", default="us-east-1", help="AWS region to be (default: %(default)s)")
    parser.add_argument("--credentials-file", type=Path, help="credentials whose signatures are accepted")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    try:
        with asyncio.Runner(loop_factory=loop.factory()) as runner:
            waited = runner.run(serve(PlaneOptions(**given), ready=_greet))
    except ConfigurationError as error:
        raise SystemExit(f"polylambda: {error}") from None
    if not waited:
        raise SystemExit(FORCED)


def _greet(plane: Plane) -> None:
    sys.stdout.write(f"{plane.url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
