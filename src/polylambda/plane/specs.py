"""What the plane asks of a host: an instance, and the environments on it. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """An instance to be launched.

    Attributes:
        id: such as `i-0123456789abcdef0`; made up by the plane.
        capacity_provider: name of the pool that it belongs to.
        instance_type: EC2's name of it, such as `c7i.xlarge`.
        zone: availability zone, such as `us-east-1a`.
        vcpus: of the instance type.
        memory: MiB of the instance type.
        cores_per_vcpu: how much of one of this machine's cores a vCPU is worth; may be less than 1.
    """

    id: str
    capacity_provider: str
    instance_type: str
    zone: str
    vcpus: int
    memory: int
    cores_per_vcpu: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """An execution environment to be started on an instance.

    Attributes:
        id: 32 hexadecimal digits; made up by the plane. It is the last part of the log stream's name.
        function_name: name of the function.
        qualifier: version that runs: a number, or `$LATEST.PUBLISHED`.
        code: folder with the function's code, unpacked.
        runtime: AWS's identifier, such as `python3.13` or `provided.al2023`.
        handler: AWS's handler string, such as `app.handler`.
        variables: the customer's environment variables.
        memory: MiB of the whole environment.
        vcpus: that it is given: memory divided by the memory of a vCPU, at least 1.
        slots: invocations that it may hold at once, for AWS_LAMBDA_MAX_CONCURRENCY.
        timeout: seconds an invocation may take.
        region: AWS region.
        account_id: twelve digits.
        log_group: CloudWatch's name of the function's log.
        tmp_size: MiB of its /tmp.
        application_log_level: what the runtime is to log of the function: TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
        system_log_level: which events of the platform are logged: DEBUG, INFO or WARN.
    """

    id: str
    function_name: str
    qualifier: str
    code: str
    runtime: str
    handler: str
    variables: dict[str, str] = field(default_factory=dict[str, str])
    memory: int = 2048
    vcpus: float = 1.0
    slots: int = 16
    timeout: float = 3.0
    region: str = "us-east-1"
    account_id: str = "123456789012"
    log_group: str = ""
    tmp_size: int = 512
    application_log_level: str = "INFO"
    system_log_level: str = "INFO"
