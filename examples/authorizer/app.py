"""Who may call an API: a Lambda authoriser, with the simple answer of HTTP APIs and with the policy of REST APIs.

A token is a name, until when it holds (seconds since 1970), and a signature of both. Real ones are JWTs; what the handlers
do with them is the same.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import Any, TypedDict

from polylambda import LambdaContext

SECRET = os.environ.get("TOKEN_SECRET", "only for this machine").encode()
LONGEST = 12  # digits of a time


class Simple(TypedDict):
    isAuthorized: bool
    context: dict[str, str]


def sign(name: str, until: int) -> str:
    text = f"{name}.{until}"
    return f"{text}.{hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()}"


def caller(token: str | None) -> str | None:
    """The name in a token, if it is one of ours and still holds."""
    name, _, rest = (token or "").removeprefix("Bearer ").partition(".")
    until = rest.partition(".")[0]
    if not (until.isdecimal() and len(until) <= LONGEST):
        return None
    if not hmac.compare_digest(f"{name}.{rest}".encode(), sign(name, int(until)).encode()):
        return None
    return name if time.time() < int(until) else None


async def simple(event: dict[str, Any], context: LambdaContext) -> Simple:
    """Answer an HTTP API (payload format 2.0); the context reaches the function behind it."""
    name = caller(event["headers"].get("authorization"))
    return {"isAuthorized": name is not None, "context": {} if name is None else {"name": name}}


async def policy(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a REST API with a policy for all of its stage, so that API Gateway may remember it for every method."""
    name = caller(event["authorizationToken"])
    if name is None:
        # These words make API Gateway answer 401; a policy that denies makes it answer 403.
        raise PermissionError("Unauthorized")
    api, stage, _ = event["methodArn"].split("/", 2)
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": name,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"name": name},
    }


async def greet(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """What the authorisers protect: either API hands on what they found out."""
    found = event["requestContext"]["authorizer"]
    return {"statusCode": 200, "body": f"Hello {found.get('lambda', found)['name']}!\n"}
