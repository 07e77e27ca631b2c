"""A generator of its own has its own seed; drawing from the shared one harms nobody."""
# mode: thread
import random

random.seed(7)


def handler(event, context):
    own = random.Random(event["customer"])
    own.seed(event["customer"])
    return {"prize": own.choice(["tea", "coffee", "nothing"]), "ticket": random.randint(1, 1000)}
