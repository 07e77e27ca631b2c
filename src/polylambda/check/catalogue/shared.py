"""Objects and caches that invocations share."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

CACHE = Rule(
    id="LMI105",
    name="cache-without-key",
    summary="A cache keeps what belongs to one request, under a key that has nothing of it.",
    why={
        Mode.TASK: "whoever comes first fills the cache, and all others get it",
        Mode.THREAD: "whoever comes first fills the cache, and all others get it",
        Mode.PROCESS: "the first invocation of a process fills the cache, and all that follow get it",
    },
    production=(
        "After each deployment one tenant's settings are everybody's, until the environments are replaced. It does not "
        "need concurrency, and so it is in many functions that run one event at a time: there it hits whoever is "
        "second in an environment."
    ),
    fix=(
        "Give the cached function what it depends on as an argument, so that it is part of the key: `settings(tenant)`. "
        "What has nothing to do with the request may be kept without a key."
    ),
    unsafe=code(
        """
        from functools import lru_cache

        from polylambda import current_context


        def handler(event, context):
            return settings()


        @lru_cache
        def settings():
            return {"tenant": current_context().tenant_id}
        """
    ),
    safe=code(
        """
        from functools import lru_cache


        def handler(event, context):
            return settings(context.tenant_id)


        @lru_cache(maxsize=1000)
        def settings(tenant):
            return {"tenant": tenant}
        """
    ),
)

OBJECT = Rule(
    id="LMI106",
    name="shared-object-written",
    summary="An attribute of an object that all invocations share is written.",
    why={
        Mode.TASK: "the object is one for all: after an await its attribute may be another invocation's",
        Mode.THREAD: "the object is one for all: its attribute may be another invocation's in the next line",
    },
    production=(
        "A handler object takes the request apart into attributes, and its methods read them. Two requests at a time "
        "take each other's: the order of one is booked on the account of the other."
    ),
    fix=(
        "Pass on what belongs to the invocation, or make an object for each of them and keep there what it needs. "
        "Attributes that are written in the constructor only are fine; so is a lock around reading and writing. A "
        "class whose author has seen to it is declared `@concurrency_safe`."
    ),
    unsafe=code(
        """
        class PlaceOrder:
            def handle(self, event, context):
                self.user = event["user"]
                return self.answer()

            def answer(self):
                return {"ordered for": self.user}


        handler = PlaceOrder()
        """
    ),
    safe=code(
        """
        class PlaceOrder:
            def handle(self, event, context):
                return self.answer(event["user"])

            def answer(self, user):
                return {"ordered for": user}


        handler = PlaceOrder()
        """
    ),
)

ITERATOR = Rule(
    id="LMI107",
    name="shared-iterator-consumed",
    summary="An iterator, generator or file that all invocations share is consumed.",
    why={
        Mode.TASK: "each invocation takes items away from the others, and goes on where another one stopped",
        Mode.THREAD: "threads take items from each other; two in one generator end in `ValueError: generator already executing`",
    },
    production=(
        "A table in a file is found by the first invocations, and by none after the file's end is reached. Or rows are "
        "missing from answers, since another invocation was given them."
    ),
    fix=(
        "Read it into a list or a dictionary at import, and let each invocation iterate over that. Or open the file in "
        "the invocation."
    ),
    unsafe=code(
        """
        import csv

        prices = csv.reader(open("/opt/prices.csv", newline=""))


        def handler(event, context):
            for item, price in prices:
                if item == event["item"]:
                    return {"price": price}
            return None
        """
    ),
    safe=code(
        """
        import csv

        with open("/opt/prices.csv", newline="") as file:
            prices = dict(csv.reader(file))


        def handler(event, context):
            return {"price": prices.get(event["item"])}
        """
    ),
)

METHOD = Rule(
    id="B019",
    name="cached-instance-method",
    summary="lru_cache or cache on a method keeps every instance alive.",
    why={
        Mode.TASK: "the cache belongs to the class, and holds the objects of all invocations",
        Mode.THREAD: "the cache belongs to the class, and holds the objects of all invocations",
        Mode.PROCESS: "the cache belongs to the class, and holds the objects of the invocations before",
    },
    production=(
        "Memory grows with every request, as the cache keeps the object that was its `self`, and with it the event. An "
        "environment that serves many invocations at a time grows as many times faster."
    ),
    fix=(
        "Use `functools.cached_property`, which dies with its object, or cache a function of the module that is given "
        "what it depends on."
    ),
    unsafe=code(
        """
        from functools import lru_cache


        class Order:
            def __init__(self, lines):
                self.lines = lines

            @lru_cache
            def total(self):
                return sum(line["price"] for line in self.lines)


        def handler(event, context):
            order = Order(event["lines"])
            return {"total": order.total(), "tax": order.total() * 0.19}
        """
    ),
    safe=code(
        """
        from functools import cached_property


        class Order:
            def __init__(self, lines):
                self.lines = lines

            @cached_property
            def total(self):
                return sum(line["price"] for line in self.lines)


        def handler(event, context):
            order = Order(event["lines"])
            return {"total": order.total, "tax": order.total * 0.19}
        """
    ),
)
