"""What an execution environment knows about its function, and the environment variables that say so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfiguration:
    """The configuration of a function, as far as its environment sees it. AWS's names.

    Attributes:
        name: of the function.
        version: `$LATEST`, `$LATEST.PUBLISHED` or a number.
        handler: for `_HANDLER`; empty for an image, whose command names it.
        memory_size: MiB of the whole environment.
        region: for AWS_REGION and AWS_DEFAULT_REGION.
        account_id: twelve digits, for the ARN.
        log_group: name; `/aws/lambda/<name>` when empty.
        log_stream: name.
        log_format: `Text` or `JSON`.
        task_root: folder of the function's code, for LAMBDA_TASK_ROOT.
        initialization_type: `on-demand`, `provisioned-concurrency`, `snap-start` or `lambda-managed-instances`.
        max_concurrency: for AWS_LAMBDA_MAX_CONCURRENCY; None leaves it unset.
    """

    name: str = "function"
    version: str = "$LATEST"
    handler: str = ""
    memory_size: int = 3008
    region: str = "us-east-1"
    account_id: str = "123456789012"
    log_group: str = ""
    log_stream: str = "local"
    log_format: str = "Text"
    task_root: str = ""
    initialization_type: str = "on-demand"
    max_concurrency: int | None = None

    @property
    def arn(self) -> str:
        """ARN of the function, without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    def environment_variables(self, runtime_api: str) -> dict[str, str]:
        """Return the variables that Lambda sets; `runtime_api` is `host:port`.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        variables = {
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": self.initialization_type,
            "AWS_LAMBDA_LOG_FORMAT": self.log_format,
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group or f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "TZ": ":UTC",
        }
        if self.handler:
            variables["_HANDLER"] = self.handler
        if self.task_root:
            variables["LAMBDA_TASK_ROOT"] = self.task_root
        if self.max_concurrency is not None:
            variables["AWS_LAMBDA_MAX_CONCURRENCY"] = str(self.max_concurrency)
        return variables
