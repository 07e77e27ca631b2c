from __future__ import annotations

import uuid

import pytest

import polylambda.testing
from polylambda.testing import make_context


def test_a_context_like_lambdas():
    context = make_context()
    assert uuid.UUID(context.aws_request_id)
    assert context.function_name == "test-function"
    assert context.function_version == "$LATEST"
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:test-function"
    assert context.log_group_name == "/aws/lambda/test-function"
    assert context.memory_limit_in_mb.isdigit()
    assert context.tenant_id is None
    assert context.client_context is None
    assert context.identity.cognito_identity_id is None
    assert make_context().aws_request_id != context.aws_request_id


def test_deadline():
    assert 0 < make_context().get_remaining_time_in_millis() <= 30_000
    assert make_context(timeout=-1).get_remaining_time_in_millis() < 0


def test_everything_may_be_made_up():
    context = make_context(
        request_id="id-1",
        function_name="orders",
        function_arn="arn:aws:lambda:eu-west-1:1:function:orders:live",
        trace_id="Root=1-2-3;Sampled=1",
        tenant_id="blue",
        client_context={"custom": {"beta": "yes"}, "client": {"app_title": "Shop"}},
        identity={"cognitoIdentityId": "a", "cognitoIdentityPoolId": "b"},
        state={"pool": 1},
        environ={"AWS_LAMBDA_FUNCTION_VERSION": "7"},
    )
    assert context.aws_request_id == "id-1"
    assert context.function_name == "orders"
    assert context.function_version == "7"
    assert context.invoked_function_arn.endswith(":live")
    assert context.trace_id == "Root=1-2-3;Sampled=1"
    assert context.tenant_id == "blue"
    assert context.client_context is not None
    assert context.client_context.custom == {"beta": "yes"}
    assert context.client_context.client is not None
    assert context.client_context.client.app_title == "Shop"
    assert context.identity.cognito_identity_pool_id == "b"
    assert context.state == {"pool": 1}


def test_arn_follows_the_name():
    assert make_context(function_name="orders").invoked_function_arn.endswith(":function:orders")


def test_names_of_the_package():
    for name in polylambda.testing.__all__:
        assert getattr(polylambda.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = polylambda.testing.nothing
