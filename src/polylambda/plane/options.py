"""What a plane can be told when it is started."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.runtime.cpus import count_vcpus

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT = 9400
STATUS_FILE = "plane.json"
INSTANCES = "instances"
ACCOUNT_ID = "123456789012"


MINIMUM_FLEET_VCPUS = 12  # three instances of the smallest types a function usually gets


def default_cores_per_vcpu(cores: int) -> float:
    """Return a worth of a vCPU with which the minimum fleet of one function fits on `cores` cores.

    At least a quarter of a core, on purpose more than fits on a small machine: below that the start of an environment
    takes longer than anybody wants to wait for, and environments hardly ever are all busy at once.
    """
    return min(1.0, max(0.25, cores / MINIMUM_FLEET_VCPUS))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneOptions:
    """Options of a plane.

    Attributes:
        data_dir: folder with everything that outlives the plane: wanted state, code, queue, logs.
        host: address that the API listens on.
        port: of the API; 0 takes any free one.
        time_scale: plane seconds in a real second: how much faster than the clock scaling, retries and ages go.
        cores_per_vcpu: how much of one of this machine's cores a vCPU is worth.
        region: AWS region that the plane says it is.
        account_id: AWS account that the plane says it is.
        credentials_file: credentials whose signatures are accepted; needed on any address but loopback.
        drain: real seconds that what is under way may take when the plane ends.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    time_scale: float = 1.0
    cores_per_vcpu: float = field(default_factory=lambda: default_cores_per_vcpu(count_vcpus()))
    region: str = "us-east-1"
    account_id: str = ACCOUNT_ID
    credentials_file: Path | None = None
    drain: float = 5.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ConfigurationError: the message names the option.
        """
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"--port {self.port} is no TCP port: give one from 0 to 65535, 0 for any free one")
        if not 0 < self.time_scale <= 1000:
            raise ConfigurationError(f"--time-scale {self.time_scale} must be more than 0 and at most 1000")
        if not 0 < self.cores_per_vcpu <= 64:
            raise ConfigurationError(f"--cores-per-vcpu {self.cores_per_vcpu} must be more than 0 and at most 64")
        if self.public and self.credentials_file is None:
            raise ConfigurationError(
                f"--host {self.host} lets others reach the plane, who could run code here: say with --credentials-file "
                "whose signatures it accepts, or listen on 127.0.0.1"
            )

    @property
    def logs(self) -> Path:
        """Folder of the logs, one file a function."""
        return self.data_dir / "logs"

    @property
    def instances(self) -> Path:
        """Folder of what instances keep while they run."""
        return self.data_dir / INSTANCES

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach the API."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def status_file(self) -> Path:
        """File that says where the running plane is: its process id, URL and token."""
        return self.data_dir / STATUS_FILE
