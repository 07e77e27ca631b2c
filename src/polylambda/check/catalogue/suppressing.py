"""Comments that suppress findings, where they do not do what they say."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

_NO_REASON = "the next reader cannot tell whether somebody has looked at it"
_UNUSED = "it would hide the next finding of that rule in this line"

NO_REASON = Rule(
    id="LMI001",
    name="suppression-without-reason",
    summary="A comment suppresses a finding and does not say why.",
    why=dict.fromkeys(Mode, _NO_REASON),
    production="A finding was a nuisance on a busy day and became a comment. A year later nobody dares to remove it, or to trust it.",
    fix="Say after ` -- ` why it is safe: `# polylambda: ignore[LMI101] -- written once, before the first event`.",
    unsafe=code(
        """
        last = None


        def handler(event, context):
            global last
            last = event["id"]  # polylambda: ignore[LMI101]
            return "ok"
        """
    ),
    safe=code(
        """
        last = None


        def handler(event, context):
            global last
            last = event["id"]  # polylambda: ignore[LMI101] -- read by a debugger only, any of them will do
            return "ok"
        """
    ),
)

UNUSED = Rule(
    id="LMI002",
    name="unused-suppression",
    summary="A comment suppresses a finding that is not there.",
    why=dict.fromkeys(Mode, _UNUSED),
    production="The code was made safe, and its comment stayed. The next change in that line is never looked at.",
    fix="Remove the comment.",
    unsafe=code(
        """
        def handler(event, context):
            last = event["id"]  # polylambda: ignore[LMI101] -- read by a debugger only, any of them will do
            return last
        """
    ),
    safe=code(
        """
        def handler(event, context):
            last = event["id"]
            return last
        """
    ),
)
