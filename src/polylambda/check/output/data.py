"""For programs: JSON, all of it in one object."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO

    from polylambda.check.output.report import Report


def print_json(report: Report, file: IO[str]) -> None:
    """Print a report as one JSON object, its findings under `findings`."""
    data = {
        "findings": [asdict(each) for each in report.findings],
        "problems": list(report.problems),
        "files": report.files,
        "handlers": report.handlers,
        "followed": report.followed,
        "suppressed": report.suppressed,
        "baseline": {"known": report.known, "gone": [asdict(each) for each in report.gone]},
        "reproduce": report.reproduce or None,
    }
    json.dump(data, file, indent=2)
    file.write("\n")
