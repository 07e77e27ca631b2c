"""What is said: by scripts to a shell, by a Dockerfile to an engine, by commands to AWS, by errors to a person."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from polylambda.package import bundle, dependencies, diagnosis, scripts
from polylambda.package.build import Kind, Order
from polylambda.package.dependencies import Dependencies
from polylambda.package.image import dockerfile
from polylambda.package.limits import MIB
from polylambda.package.next_steps import next_steps
from polylambda.package.target import Target

TARGET = Target("3.13", "arm64")
ORDER = Order(
    kind=Kind.ZIP,
    target=TARGET,
    handler="app.handler",
    root=Path(),
    out=Path("build/function.zip"),
    dependencies=Dependencies(),
)


# Scripts


@pytest.mark.parametrize(
    "script", [scripts.wrapper("3.13"), scripts.wrapper("3.13", in_layer=True), scripts.bootstrap("3.13")]
)
def test_shell_understands_it(script: str):
    assert script.startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


# Dockerfile


def test_dockerfile():
    text = dockerfile(TARGET, "app.handler")
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", text, re.MULTILINE)
    assert [name for _, name in stages] == ["base", "local", "function"]
    parts = dict(zip([name for _, name in stages], re.split(r"^FROM .*$", text, flags=re.MULTILINE)[1:], strict=True))
    assert stages[0][0].endswith("/python:3.13-slim-bookworm")
    assert [source for source, _ in stages[1:]] == ["base", "base"]
    assert "USER 65534" in parts["base"]
    assert 'CMD ["app.handler"]' in parts["base"]
    assert 'ENTRYPOINT ["python", "-m", "polylambda"]' in parts["function"]
    assert [name for name in parts if "aws-lambda-rie" in parts[name]] == ["local"]
    assert "build for linux/arm64" in text


# Next steps


def commands(order: Order, **options: object) -> list[list[str]]:
    return [shlex.split(command) for _, command in next_steps(order, "my shop", **options)]  # type: ignore[arg-type]


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_function_of_a_zip():
    create, update = commands(ORDER)
    assert create[:3] == ["aws", "lambda", "create-function"]
    assert option(create, "--runtime") == "python3.13"
    assert option(create, "--architectures") == "arm64"
    assert option(create, "--handler") == "app.handler"
    assert option(create, "--function-name") == option(update, "--function-name") == "my-shop"
    assert option(create, "--zip-file") == option(update, "--zip-file") == "fileb://build/function.zip"
    assert option(create, "--environment") == "Variables={AWS_LAMBDA_EXEC_WRAPPER=/var/task/polylambda-wrapper}"


def test_function_with_a_layer():
    create, _ = commands(replace(ORDER, dependencies=Dependencies(own=False)))
    assert option(create, "--environment") == "Variables={AWS_LAMBDA_EXEC_WRAPPER=/opt/polylambda-wrapper}"
    assert option(create, "--layers") == "LAYER_VERSION_ARN"


def test_zip_that_is_too_large_to_be_uploaded():
    put, create, update = commands(ORDER, zipped=50 * MIB + 1)
    assert put == ["aws", "s3", "cp", "build/function.zip", "s3://BUCKET/my-shop/function.zip"]
    assert option(create, "--code") == "S3Bucket=BUCKET,S3Key=my-shop/function.zip"
    assert option(update, "--s3-key") == "my-shop/function.zip"


def test_template_comes_first():
    assert commands(ORDER, template=Path("template.yaml"))[0] == ["sam", "deploy", "--guided"]


def test_function_of_a_bootstrap():
    create, _ = commands(replace(ORDER, kind=Kind.BOOTSTRAP))
    assert option(create, "--runtime") == "provided.al2023"
    assert "--environment" not in create


def test_layer():
    publish, use = commands(replace(ORDER, kind=Kind.LAYER))
    assert publish[2] == "publish-layer-version"
    assert option(publish, "--compatible-runtimes") == "python3.13"
    assert option(use, "--environment") == "Variables={AWS_LAMBDA_EXEC_WRAPPER=/opt/polylambda-wrapper}"


def test_image():
    _, local, build, push, create, update = commands(replace(ORDER, kind=Kind.IMAGE, out=Path("build/image")))
    assert option(local, "--target") == "local"
    assert option(build, "--platform") == "linux/arm64"
    assert option(build, "--tag") == push[2] == option(update, "--image-uri")
    assert option(create, "--code") == f"ImageUri={push[2]}"


# What uv says


def test_no_wheel():
    said = """Using CPython 3.11.7 interpreter at: /usr/bin/python3.11
error: No solution found when resolving dependencies
  cause: Because all versions of psycopg2 have no usable wheels and you require psycopg2, we can conclude that your
    requirements are unsatisfiable.

hint: Wheels are required for `psycopg2` because building from source is disabled for all packages (i.e., with `--no-build`)
"""
    message = dependencies._explain(said, TARGET)
    assert message.startswith("psycopg2 has no wheel for Python 3.13 on arm64 with glibc 2.34: ")
    assert "--from-source psycopg2" in message


def test_no_wheel_of_a_version():
    said = "  cause: Because cffi==1.0 has no wheels with a matching Python version tag and you require cffi==1.0, we"
    assert dependencies._explain(said, TARGET).startswith("cffi==1.0 has no wheel for ")


def test_no_such_package():
    said = "  cause: Because nothere was not found in the package registry and you require nothere, we can conclude"
    assert dependencies._explain(said, TARGET).startswith("there is no package nothere in the index: ")


def test_source_that_may_be_built():
    said = "error: Failed to prepare\n  cause: Building source distributions for `docopt` is disabled\n"
    assert dependencies._explain(said, TARGET) == (
        "docopt is required as source: have it built here with --from-source docopt if it is pure Python"
    )


def test_what_a_failed_build_prints():
    said = f"error: Call to `hatchling.build` failed {'x' * 5000} ValueError: no files"
    message = dependencies._explain(said, TARGET)
    assert "Call to `hatchling.build` failed" in message
    assert message.endswith("ValueError: no files")
    assert len(message) < 600


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "error: Building source distributions is disabled",
            "requirements.in has what is only known when it is built",
        ),
        (
            "cause: Because pyyaml was not found in the cache and you require pyyaml\nhint: the network was disabled",
            "pyyaml is not in uv's cache, and uv may not use the network",
        ),
        (
            "error: Hash-checking is required, but no trusted hash was provided for: `msgspec`",
            "requirements.in requires a hash of everything, and has none of msgspec",
        ),
        (
            "error: In `--require-hashes` mode, all requirements must have a hash, but none were provided for: six==1",
            "requirements.in requires a hash of everything, and has none of six",
        ),
        (
            "Because msgspec>=0.19.0 has no usable wheels and polylambda==0.1.0 depends on msgspec>=0.19",
            "polylambda does not run on Python 3.13 on arm64, for msgspec",
        ),
    ],
)
def test_what_uv_says_in_a_sentence(said: str, message: str):
    assert dependencies._explain(said, TARGET, Path("requirements.in")).startswith(message)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("__editable__.common-1.pth", "/home/me/common"),
        ("common-1.dist-info/direct_url.json", '{"url": "file:///home/me/common", "dir_info": {"editable": true}}'),
    ],
)
def test_link_that_got_in(tmp_path: Path, name: str, text: str):
    (tmp_path / "six-1.dist-info").mkdir()
    (tmp_path / "six-1.dist-info" / "direct_url.json").write_text('{"url": "file:///six", "dir_info": {}}')
    dependencies._refuse_editable(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(dependencies.ConfigurationError, match=r"^common would be a link to a folder of this machine"):
        dependencies._refuse_editable(tmp_path)


def test_link_to_this_machine(tmp_path: Path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("six\n# -e is for development\n-e ../common\n")
    with pytest.raises(
        dependencies.ConfigurationError, match=r"requirements\.txt has '-e \.\./common', a link to a folder"
    ):
        dependencies._refuse_links(requirements)
    requirements.write_text("six\n../common\nsome-editor\n")
    dependencies._refuse_links(requirements)


def test_anything_else():
    said = "Using CPython 3.11.7\nerror: File not found: `requirements.txt`\n"
    assert dependencies._explain(said, TARGET) == (
        "the requirements cannot be met for Python 3.13 on arm64: File not found: `requirements.txt`"
    )


# What a failed start says


def way_out(message: str, root: Path = Path()) -> str:
    return diagnosis.way_out({"errorMessage": message}, root, "requirements.txt")


def test_missing_module_of_a_distribution_that_is_here():
    said = "Unable to import module 'app': No module named '_pytest.config'"
    message = way_out(said)
    assert message.startswith(
        "_pytest.config is not in the package: add pytest, which has it here, to requirements.txt"
    )


def test_missing_module_of_nobody_knows_whom():
    message = way_out("No module named 'nobody_has_this'")
    assert message == "nobody_has_this is not in the package: add the distribution that has it to requirements.txt"


def test_missing_module_of_the_project(tmp_path: Path):
    (tmp_path / "src" / "tests").mkdir(parents=True)
    assert way_out("No module named 'tests.data'", tmp_path) == (
        "tests.data is in the project, but was left out: take it with --include tests, or move it"
    )


def test_missing_module_of_the_standard_library():
    assert way_out("No module named 'tkinter'") == (
        "tkinter is of the standard library, and this Python does not have it"
    )


def test_missing_library():
    assert way_out("libpq.so.5: cannot open shared object file: No such file").startswith(
        "libpq.so.5 is a library of the"
    )


def test_newer_glibc():
    assert way_out("/lib/libm.so.6: version `GLIBC_2.38' not found (required by x.so)").startswith(
        "a binary needs GLIBC_2.38"
    )


def test_other_errors_speak_for_themselves():
    assert way_out("division by zero") == ""
    assert diagnosis.way_out(json.loads("{}"), Path(), "requirements.txt") == ""


# A Python to bundle


def test_no_python_for_another_architecture(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundle.platform, "machine", lambda: "x86_64")
    with pytest.raises(
        dependencies.ConfigurationError, match=r"there is no Python 3\.13 on arm64 to bundle: .* on x86_64: fetch"
    ):
        bundle._of_this_machine(TARGET, None)
