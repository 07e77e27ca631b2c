"""Captured tables are read, and inner functions write what belongs to this invocation."""
# mode: thread


def make_handler(prices):
    known = frozenset(prices)

    def handle(event, context):
        lines = []
        total = 0

        def add(item, count):
            nonlocal total
            lines.append(item)
            total += prices[item] * count

        for line in event["lines"]:
            if line["item"] in known:
                add(line["item"], line["count"])
        return {"lines": lines, "total": total}

    return handle


handler = make_handler({"tea": 4.5, "coffee": 3})
