import tempfile
from pathlib import Path

WORK = Path(tempfile.gettempdir()) / "work"
