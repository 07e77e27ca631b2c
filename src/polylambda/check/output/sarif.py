"""For code scanning: SARIF 2.1.0, which GitHub and most editors read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polylambda
from polylambda.check.baseline import fingerprints
from polylambda.check.catalogue import RULES

if TYPE_CHECKING:
    from typing import IO

    from polylambda.check.finding import Finding
    from polylambda.check.output.report import Report
    from polylambda.check.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"

Json = dict[str, Any]


def print_sarif(report: Report, file: IO[str]) -> None:
    """Print a report as a SARIF log with one run; the paths in it are relative to the project."""
    used = sorted({each.rule for each in report.findings})
    prints = fingerprints(report.findings, report.root)
    run: Json = {
        "tool": {
            "driver": {
                "name": "polylambda check",
                "semanticVersion": polylambda.__version__,
                "rules": [_rule(rule) for rule in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{report.root.absolute().as_uri()}/"}},
        "invocations": [
            {
                "executionSuccessful": True,
                "properties": {"summary": report.summary()},
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": problem}} for problem in report.problems
                ],
            }
        ],
        "results": [
            _result(finding, report, used.index(finding.rule), known)
            for finding, known in zip(report.findings, prints, strict=True)
        ],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, file, indent=2)
    file.write("\n")


def _rule(rule_id: str) -> Json:
    rule = RULES.get(rule_id)
    if rule is None:
        return {"id": rule_id}
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.production},
        "help": {"text": _help(rule), "markdown": _help(rule, fence="```")},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["concurrency", *rule.why]},
    }


def _help(rule: Rule, fence: str = "") -> str:
    parts = [rule.production]
    for title, code in (("Unsafe", rule.unsafe), ("Safe", rule.safe)):
        if code:
            block = code.strip("\n")
            parts.append(f"{title}:\n\n" + (f"{fence}python\n{block}\n{fence}" if fence else block))
        if title == "Unsafe":
            parts.append(rule.fix)
    return "\n\n".join(parts)


def _result(finding: Finding, report: Report, index: int, fingerprint: str) -> Json:
    why = " ".join(f"{mode}: {_sentence(text)}" for mode, text in report.why(finding))
    words = [_sentence(finding.message), why, *map(_sentence, finding.evidence), f"Fix: {_sentence(finding.fix)}"]
    result: Json = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": " ".join(filter(None, words))},
        "locations": [_location(finding.path, finding.line, finding.column)],
        "partialFingerprints": {"polylambda/v1": fingerprint},
        "properties": {"modes": [str(mode) for mode in finding.modes]},
    }
    if finding.trail:
        steps = [_location(each.path, each.line, text=each.function) for each in finding.trail]
        steps.append(_location(finding.path, finding.line, finding.column, text=finding.message))
        result["codeFlows"] = [{"threadFlows": [{"locations": [{"location": each} for each in steps]}]}]
    return result


def _location(path: str, line: int, column: int | None = None, *, text: str = "") -> Json:
    if Path(path).is_absolute():
        artifact: Json = {"uri": Path(path).as_uri()}
    else:
        artifact = {"uri": quote(Path(path).as_posix()), "uriBaseId": _ROOT}
    region: Json = {"startLine": max(line, 1)}
    if column is not None:
        region["startColumn"] = max(column, 1)
    location: Json = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
    return {**location, "message": {"text": text}} if text else location


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
