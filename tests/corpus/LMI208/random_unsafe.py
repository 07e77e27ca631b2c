"""The same draw for the same customer, by seeding the generator of all."""
# mode: thread
import random


def handler(event, context):
    random.seed(event["customer"])  # unsafe: LMI208
    return {"prize": random.choice(["tea", "coffee", "nothing"])}
