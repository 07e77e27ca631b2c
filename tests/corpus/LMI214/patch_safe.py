"""Two functions, and a choice; an event loop that is set is that of the thread."""
# mode: thread
import asyncio

import payments


def pretend(amount):
    return "not charged"


def handler(event, context):
    charge = pretend if event.get("dryRun") else payments.charge
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        return {"charged": charge(event["amount"]), "sent": runner.run(payments.tell(event["customer"]))}
