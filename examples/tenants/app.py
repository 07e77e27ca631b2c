"""State of many tenants in one environment: nobody gets at it but through the tenant of the invocation.

On Lambda Managed Instances, and in any environment that lives long, what an invocation leaves behind is there for the next
one, which may be another tenant's. So the state is kept by tenant, and `mine` is the only way to it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from polylambda import LambdaContext, LambdaManagedRuntime, concurrency_safe, current_context

MOST = 1000  # tenants remembered; the one that was not seen for longest goes first
DATABASE = 0.01  # seconds


@dataclass
class Note:
    text: str


@dataclass
class Tenant:
    notes: list[str] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tenants:
    """The tenants of this process, by their ids."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Tenant] = OrderedDict()

    def mine(self) -> Tenant:
        """The state of the tenant that the current invocation is for."""
        tenant_id = current_context().tenant_id
        if tenant_id is None:
            raise PermissionError("this invocation is for no tenant: invoke with a tenant id")
        tenant = self._known.setdefault(tenant_id, Tenant())
        self._known.move_to_end(tenant_id)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return tenant


@concurrency_safe
class Notebook:
    """Keeps notes. Safe: what it shares is kept by tenant, and changed under the tenant's lock."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def handle(self, event: Note, context: LambdaContext) -> dict[str, object]:
        tenant = self._tenants.mine()
        async with tenant.lock:
            await asyncio.sleep(DATABASE)
            tenant.notes.append(event.text)
            return {"tenant": context.tenant_id, "notes": list(tenant.notes)}


handler = Notebook(Tenants())

if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
