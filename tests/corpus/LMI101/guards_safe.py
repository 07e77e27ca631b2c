"""Many ways to make something when it is needed first."""
# mode: thread
import os

from clients import Client, connect

_by_region = {}
_plans = {}
_prices = {}
_client = None
_other = None


def client():
    global _client
    _client = _client or Client(os.environ["ENDPOINT"])
    return _client


def other():
    global _other
    if not isinstance(_other, Client):
        _other = Client(os.environ["OTHER"])
    return _other


def connection(region):
    return _by_region.setdefault(region, connect(region))


def plan(tenant):
    try:
        return _plans[tenant]
    except KeyError:
        found = _plans[tenant] = client().plan(tenant)
        return found


def price(item):
    if (known := _prices.get(item)) is None:
        known = other().price(item)
        _prices[item] = known
    return known


def handler(event, context):
    connection(event["region"]).place(event["item"], price(event["item"]))
    return plan(event["tenant"])
