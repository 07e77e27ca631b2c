"""Warnings of a parser are caught for the answer; the filters are those of the process."""
# mode: thread
import warnings

import feeds


def handler(event, context):
    warnings.simplefilter("error", DeprecationWarning)  # unsafe: LMI211
    with warnings.catch_warnings(record=True) as caught:  # unsafe: LMI211
        feed = feeds.parse(event["body"])
    return {"feed": feed, "warnings": [str(each.message) for each in caught]}
