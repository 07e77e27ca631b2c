"""The cache has one entry, and it is about whoever came first."""
# mode: thread
from functools import lru_cache

from polylambda import current_context


def handler(event, context):
    return {"tenant": tenant(), "request": context.aws_request_id}


@lru_cache(maxsize=None)  # unsafe: LMI105
def tenant():
    return current_context().tenant_id
