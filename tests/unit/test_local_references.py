from __future__ import annotations

import pytest

from polylambda.local.apierror import ApiError
from polylambda.local.references import Referent, resolve
from polylambda.server.function import FunctionConfiguration

FUNCTION = FunctionConfiguration(name="my-fn_1", region="eu-west-1", account_id="111122223333")
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:my-fn_1"


@pytest.mark.parametrize(
    "reference",
    [
        "my-fn_1",
        ARN,
        "111122223333:function:my-fn_1",
        "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:my-fn_1",
    ],
)
def test_every_way_to_say_it(reference: str):
    assert resolve(FUNCTION, reference) == Referent(arn=ARN, version="$LATEST")


@pytest.mark.parametrize(
    ("reference", "qualifier", "version"),
    [
        ("my-fn_1:3", None, "3"),
        ("my-fn_1", "3", "3"),
        ("my-fn_1:3", "3", "3"),
        (f"{ARN}:$LATEST", None, "$LATEST"),
        ("my-fn_1:$LATEST.PUBLISHED", None, "$LATEST.PUBLISHED"),
        ("my-fn_1:live", None, "$LATEST"),  # an alias
    ],
)
def test_qualifiers(reference: str, qualifier: str | None, version: str):
    referent = resolve(FUNCTION, reference, qualifier)
    assert referent.version == version
    assert referent.arn == f"{ARN}:{qualifier or reference.rpartition(':')[2]}"


def test_function_called_function():
    referent = resolve(FunctionConfiguration(), "function:7")
    assert referent == Referent(arn="arn:aws:lambda:us-east-1:123456789012:function:function:7", version="7")


@pytest.mark.parametrize(
    ("reference", "qualifier", "name"),
    [
        ("other", None, "ResourceNotFoundException"),
        ("arn:aws:lambda:eu-west-1:111122223333:function:other:1", None, "ResourceNotFoundException"),
        ("my-fn_1:1", "2", "InvalidParameterValueException"),
        ("my fn", None, "InvalidParameterValueException"),
        ("my-fn_1:", None, "InvalidParameterValueException"),
        ("a:b:c:d", None, "InvalidParameterValueException"),
    ],
)
def test_what_it_cannot_mean(reference: str, qualifier: str | None, name: str):
    with pytest.raises(ApiError) as caught:
        resolve(FUNCTION, reference, qualifier)
    assert caught.value.name == name
