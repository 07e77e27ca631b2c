"""Two invocations read, both add one, both write."""
# mode: thread
# rule: RUN106
# event: {"item": "tea"}
import types

stock = types.SimpleNamespace(sold=0)


def sell():
    vars(stock).update({name: count + 1 for name, count in vars(stock).items()})
    return stock.sold


def handler(event, context):
    return {"number": sell()}
