"""Read at import into a table, or opened by each invocation for itself."""
# mode: thread
import csv

with open("/opt/regions.csv", newline="") as file:
    regions = dict(csv.reader(file))


def handler(event, context):
    with open("/opt/prices.csv", newline="") as prices:
        for row in csv.reader(prices):
            if row[0] == event["item"]:
                return {"price": row[1], "region": regions[event["country"]]}
    return None
