"""What somebody wants on a plane: capacity providers and functions, as a template or a folder asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.plane.records import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlan:
    """A capacity provider that is wanted.

    Attributes:
        name: of the capacity provider.
        request: what CreateCapacityProvider takes.
    """

    name: str
    request: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlan:
    """A function that is wanted.

    Attributes:
        name: of the function.
        code: folder with its code, or a zip file.
        configuration: what CreateFunction takes, without name and code.
        publish_latest: publish it to `$LATEST.PUBLISHED`.
        alias: publish a numbered version, too, and let this alias name it.
        scaling: its FunctionScalingConfig.
        url: what CreateFunctionUrlConfig takes, without the name.
        event_invoke: what PutFunctionEventInvokeConfig takes, without the name.
    """

    name: str
    code: Path
    configuration: Document
    publish_latest: bool = True
    alias: str | None = None
    scaling: Document | None = None
    url: Document | None = None
    event_invoke: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is wanted.

    Attributes:
        source: the template or the folder.
        providers: capacity providers.
        functions: functions.
        remarks: sentences about what was left out, or made up.
    """

    source: Path
    providers: tuple[ProviderPlan, ...] = ()
    functions: tuple[FunctionPlan, ...] = ()
    remarks: tuple[str, ...] = ()
