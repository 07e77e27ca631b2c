"""Reads, awaits, writes: whatever another invocation wrote meanwhile is lost."""
# mode: task
import ledger

balance = {"total": 0}


async def handler(event, context):
    before = balance["total"]
    await ledger.post(event["detail"])
    balance["total"] = before + event["detail"]["amount"]  # unsafe: LMI101
    return balance["total"]
