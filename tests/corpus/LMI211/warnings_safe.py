"""Filters are set at import, and warnings are given."""
# mode: thread
import warnings

import feeds

warnings.filterwarnings("ignore", category=DeprecationWarning)


def handler(event, context):
    if "version" not in event:
        warnings.warn("an event without version", stacklevel=2)
    return {"feed": feeds.parse(event["body"])}
