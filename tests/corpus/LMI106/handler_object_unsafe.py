"""A handler object that keeps the request on itself, between its own methods."""
# mode: task
import inventory
from polylambda import LambdaContext, LambdaManagedRuntime


class Reserve:
    def __init__(self, warehouse):
        self.warehouse = warehouse
        self.order = None

    async def handle(self, event: dict, context: LambdaContext) -> dict:
        self.order = event["order"]  # unsafe: LMI106
        await self.check()
        return {"reserved": self.order["id"]}

    async def check(self):
        if not await inventory.has(self.warehouse, self.order["item"]):
            raise LookupError(self.order["item"])


handler = Reserve("berlin")

if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
