"""What to do with an artifact: the commands of AWS's own tools, complete but for what only the user knows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from polylambda.package import limits, scripts
from polylambda.package.build import LAYER, TASK, Kind
from polylambda.package.image import LOCAL, platform_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polylambda.package.build import Order
    from polylambda.package.target import Target

_ROLE = "arn:aws:iam::ACCOUNT:role/ROLE"
_BUCKET = "BUCKET"
_REGISTRY = "ACCOUNT.dkr.ecr.REGION.amazonaws.com"
_OS_RUNTIME = "provided.al2023"


def next_steps(order: Order, name: str, *, zipped: int = 0, template: Path | None = None) -> list[tuple[str, str]]:
    """Return what may be done next: in words, and as a command.

    Args:
        order: what was built.
        name: of the function or the layer.
        zipped: bytes of the file.
        template: a SAM template of the project, if it has one.
    """
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    if order.kind is Kind.LAYER:
        return _layer(order, name)
    steps = [] if template is None else [("deploy with the template", "sam deploy --guided")]
    if order.kind is Kind.IMAGE:
        return [*_image(order, name), *steps]
    upload, code = _code(order, name, zipped)
    return [*steps, *upload, *_function(order, name, code)]


def _function(order: Order, name: str, code: Sequence[str]) -> list[tuple[str, str]]:
    target = order.target
    runtime = _OS_RUNTIME if order.kind is Kind.BOOTSTRAP else target.runtime
    words = ["aws", "lambda", "create-function", "--function-name", name, "--runtime", runtime]
    words += ["--handler", order.handler, "--architectures", target.architecture, "--role", _ROLE]
    if order.kind is Kind.ZIP:
        place = TASK if order.takes_over else LAYER
        words += ["--environment", f"Variables={{AWS_LAMBDA_EXEC_WRAPPER={place}/{scripts.WRAPPER}}}"]
        if not order.takes_over:
            words += ["--layers", "LAYER_VERSION_ARN"]
    update = ["aws", "lambda", "update-function-code", "--function-name", name]
    return [
        ("make the function", _line(*words, *(("--code", ",".join(code)) if len(code) > 1 else ("--zip-file", *code)))),
        ("or bring new code to it", _line(*update, *(_update(code)))),
    ]


def _update(code: Sequence[str]) -> list[str]:
    if len(code) == 1:
        return ["--zip-file", *code]
    (_, bucket), (_, key) = (part.split("=", 1) for part in code)
    return ["--s3-bucket", bucket, "--s3-key", key]


def _code(order: Order, name: str, zipped: int) -> tuple[list[tuple[str, str]], list[str]]:
    """Return how the code gets there: what must be done before, and the words that name it."""
    if zipped <= limits.MAX_UPLOAD:
        return [], [f"fileb://{order.out}"]
    key = f"{name}/{order.out.name}"
    upload = _line("aws", "s3", "cp", str(order.out), f"s3://{_BUCKET}/{key}")
    return [("put it into S3, for it is too large to be uploaded", upload)], [f"S3Bucket={_BUCKET}", f"S3Key={key}"]


def _layer(order: Order, name: str) -> list[tuple[str, str]]:
    target = order.target
    words = ["aws", "lambda", "publish-layer-version", "--layer-name", name, "--zip-file", f"fileb://{order.out}"]
    words += ["--compatible-runtimes", target.runtime, "--compatible-architectures", target.architecture]
    use = [
        "aws",
        "lambda",
        "update-function-configuration",
        "--function-name",
        "FUNCTION",
        "--layers",
        "LAYER_VERSION_ARN",
    ]
    use += ["--environment", f"Variables={{AWS_LAMBDA_EXEC_WRAPPER={LAYER}/{scripts.WRAPPER}}}"]
    return [("publish the layer", _line(*words)), ("have a function use it", _line(*use))]


def _image(order: Order, name: str) -> list[tuple[str, str]]:
    context, image = str(order.out), f"{_REGISTRY}/{name}:latest"
    docker = ["docker", "build", "--platform", platform_of(order.target)]
    local = [*docker, "--target", LOCAL, "--tag", f"{name}:{LOCAL}", context]
    return [
        ("look at it", _line("cat", f"{order.out}/Dockerfile")),
        ("run it here", f"{_line(*local)} && docker run --rm --publish 9000:8080 {name}:{LOCAL}"),
        (
            "build it",
            _line(
                "docker",
                "build",
                "--platform",
                platform_of(order.target),
                "--provenance=false",
                "--tag",
                image,
                context,
            ),
        ),
        ("push it", _line("docker", "push", image)),
        ("make the function", _line(*_image_function(order.target, name, image))),
        (
            "or bring a new image to it",
            _line("aws", "lambda", "update-function-code", "--function-name", name, "--image-uri", image),
        ),
    ]


def _image_function(target: Target, name: str, image: str) -> list[str]:
    words = ["aws", "lambda", "create-function", "--function-name", name, "--package-type", "Image"]
    return [*words, "--code", f"ImageUri={image}", "--architectures", target.architecture, "--role", _ROLE]


def _line(*words: str) -> str:
    return shlex.join(words)
