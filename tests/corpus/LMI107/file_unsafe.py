"""One open file has one position."""
# mode: thread
import csv

regions = open("/opt/regions.csv", newline="")
rows = csv.reader(open("/opt/prices.csv", newline=""))


def handler(event, context):
    regions.seek(0)  # unsafe: LMI107
    for line in regions:  # unsafe: LMI107
        if line.startswith(event["country"]):
            break
    for row in rows:  # unsafe: LMI107
        if row[0] == event["item"]:
            return {"price": row[1], "region": line}
    return None
