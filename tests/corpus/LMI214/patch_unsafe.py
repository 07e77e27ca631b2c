"""A dry run by putting a stand-in into the module that everybody uses."""
# mode: thread
from unittest import mock

import payments


def handler(event, context):
    if event.get("dryRun"):
        with mock.patch("payments.charge", return_value="not charged"):  # unsafe: LMI214
            return payments.charge(event["amount"])
    return payments.charge(event["amount"])
