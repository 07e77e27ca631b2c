"""The way from another process to the plane of a data directory: where it is, and what it can be asked."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from polylambda.errors import ConfigurationError
from polylambda.plane.options import PlaneOptions

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 10.0
"""Seconds that a plane may take to answer."""

Snapshot = dict[str, Any]
"""The fleet as `GET /polylambda/fleet` tells it."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A plane that runs.

    Attributes:
        pid: its process.
        url: where it is reached, without a slash at the end.
        token: what its own endpoints ask for.
    """

    pid: int
    url: str
    token: str

    @property
    def host(self) -> str:
        """Host that it listens on."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return urlsplit(self.url).port or 80

    def fleet(self) -> Snapshot:
        """Return what there is at the moment.

        Raises:
            ConfigurationError: the plane does not answer.
        """
        return json.loads(self._ask("GET", "/polylambda/fleet"))

    def down(self) -> None:
        """Ask it to end.

        Raises:
            ConfigurationError: the plane does not answer.
        """
        self._ask("POST", "/polylambda/down")

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers={"authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConfigurationError(
                f"the plane at {self.url} (process {self.pid}) does not answer: {error or 'it was cut off'}; "
                "when it has been killed, start it again with `polylambda up`"
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ConfigurationError(
                f"the plane at {self.url} answers {method} {path} with {response.status}: {body!r}"
            )
        return body


def contact(data_dir: Path) -> Contact:
    """Return the plane that runs with a data directory.

    Raises:
        ConfigurationError: there is none.
    """
    path = PlaneOptions(data_dir=data_dir).status_file
    try:
        status = json.loads(path.read_bytes())
        return Contact(int(status["pid"]), str(status["url"]), str(status["token"]))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"no plane runs with the data directory {data_dir}: start one with `polylambda up`, "
            "or say with --data-dir where another one keeps its data"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} does not say where the plane is: {error!r}") from error
