"""The request is passed on; attributes are written in the constructor only."""
# mode: task
import inventory
from polylambda import LambdaContext, LambdaManagedRuntime


class Reserve:
    def __init__(self, warehouse):
        self.warehouse = warehouse
        self.known = {}
        self.known["tea"] = True

    async def handle(self, event: dict, context: LambdaContext) -> dict:
        order = event["order"]
        await self.check(order)
        return {"reserved": order["id"]}

    async def check(self, order):
        if order["item"] not in self.known and not await inventory.has(self.warehouse, order["item"]):
            raise LookupError(order["item"])


handler = Reserve("berlin")

if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
