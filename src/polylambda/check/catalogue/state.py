"""Variables that outlive an invocation, and are written by it."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

GLOBAL = Rule(
    id="LMI101",
    name="module-global-written",
    summary="A module global is written by invocations that share it.",
    why={
        Mode.TASK: "between two awaits of one invocation others run, and write the same variable",
        Mode.THREAD: "another thread may write between any two steps, even within one `+=`",
    },
    production=(
        "A customer sees another customer's order, once in a few thousand requests, and only under load: the value was "
        "right when it was written, and another invocation's when it was read. Counters lose counts. A list that is "
        "cleared at the beginning of each invocation is cleared in the middle of others. No exception tells of it."
    ),
    fix=(
        "Pass the value as an argument, or keep it in a local variable. Where functions in between must not know of it, "
        "use a `contextvars.ContextVar`: every invocation has its own value. What is meant to be shared needs a lock "
        "that is as global as the variable (`threading.Lock` in threads, `asyncio.Lock` around an await) and held for "
        "the whole of reading and writing. A table that is filled while the module is imported is fine as it is, and so "
        "is a memo whose values depend on their keys alone."
    ),
    unsafe=code(
        """
        import asyncio

        user = None


        async def handler(event, context):
            global user
            user = event["user"]
            await asyncio.sleep(0.05)  # a query, so to speak
            return {"hello": user}
        """
    ),
    safe=code(
        """
        import asyncio
        from contextvars import ContextVar

        user = ContextVar("user")


        async def handler(event, context):
            user.set(event["user"])
            await asyncio.sleep(0.05)  # a query, so to speak
            return {"hello": user.get()}
        """
    ),
)

CLASS = Rule(
    id="LMI102",
    name="class-attribute-written",
    summary="A class attribute is written; all instances share it.",
    why={
        Mode.TASK: "the class is one for all invocations, also where each of them has its own instance",
        Mode.THREAD: "the class is one for all threads, also where each invocation has its own instance",
    },
    production=(
        "A cart contains what others have put into theirs. The list stands in the class body, so that it looks like an "
        "attribute of each cart, and in tests, where there is one cart, it is."
    ),
    fix=(
        "Make the value in `__init__`, or with `field(default_factory=list)` in a dataclass. What is about one "
        "invocation never belongs on a class; what is about all of them needs a lock."
    ),
    unsafe=code(
        """
        class Cart:
            items = []

            def add(self, item):
                self.items.append(item)


        def handler(event, context):
            cart = Cart()
            for item in event["items"]:
                cart.add(item)
            return {"items": cart.items}
        """
    ),
    safe=code(
        """
        class Cart:
            def __init__(self):
                self.items = []

            def add(self, item):
                self.items.append(item)


        def handler(event, context):
            cart = Cart()
            for item in event["items"]:
                cart.add(item)
            return {"items": cart.items}
        """
    ),
)

CLOSURE = Rule(
    id="LMI103",
    name="closure-state-written",
    summary="A variable captured by a closure is written, and outlives the invocation.",
    why={
        Mode.TASK: "the function that captured it was made once, and all invocations run it",
        Mode.THREAD: "the function that captured it was made once, and all threads run it",
    },
    production=(
        "A decorator keeps the last good answer, for when the next call fails. It gives one caller's answer to "
        "another caller. Closures hide well: there is no global to be seen, and no object."
    ),
    fix=(
        "Make what is written inside the inner function, so that each call has its own. For what all calls are to "
        "share, hold a lock that the outer function makes."
    ),
    unsafe=code(
        """
        def make_handler(prices):
            lines = []

            def handle(event, context):
                for item in event["items"]:
                    lines.append(prices[item])
                return {"total": sum(lines)}

            return handle


        handler = make_handler({"tea": 4, "coffee": 3})
        """
    ),
    safe=code(
        """
        def make_handler(prices):
            def handle(event, context):
                lines = []
                for item in event["items"]:
                    lines.append(prices[item])
                return {"total": sum(lines)}

            return handle


        handler = make_handler({"tea": 4, "coffee": 3})
        """
    ),
)

FUNCTION = Rule(
    id="LMI104",
    name="function-attribute-written",
    summary="An attribute of a function is written; a function is a global, too.",
    why={
        Mode.TASK: "there is one function object, and all invocations share its attributes",
        Mode.THREAD: "there is one function object, and all threads share its attributes",
    },
    production=(
        "`handler.user = ...` reads as if it belonged to the call. It belongs to the function, and the next call "
        "overwrites it before this one has read it again."
    ),
    fix="Use a local variable, an argument, or a `contextvars.ContextVar`. Attributes that are set at import may be read.",
    unsafe=code(
        """
        def handler(event, context):
            handler.user = event["user"]
            return greeting()


        def greeting():
            return {"hello": handler.user}
        """
    ),
    safe=code(
        """
        def handler(event, context):
            return greeting(event["user"])


        def greeting(user):
            return {"hello": user}
        """
    ),
)

CONTEXT_DEFAULT = Rule(
    id="B039",
    name="mutable-contextvar-default",
    summary="A `ContextVar` has a mutable default, which all invocations share as long as they set nothing.",
    why={
        Mode.TASK: "each invocation has its own context, but whoever has set nothing gets the same default object",
        Mode.THREAD: "each thread has its own context, but whoever has set nothing gets the same default object",
        Mode.PROCESS: "the default is made once, and the next invocation finds what this one left in it",
    },
    production=(
        "The variable was made a `ContextVar` so that invocations would not see each other's values, and they do. `get()` "
        "gives each of them the list that was made at import, one appends to it, and the next finds what is not its own."
    ),
    fix=(
        "Give no default, or an immutable one (`None`, `()`), and `set()` a new object at the beginning of each "
        "invocation."
    ),
    unsafe=code(
        """
        from contextvars import ContextVar

        notes = ContextVar("notes", default=[])


        def handler(event, context):
            for item in event["items"]:
                notes.get().append(item)
            return {"notes": notes.get()}
        """
    ),
    safe=code(
        """
        from contextvars import ContextVar

        notes = ContextVar("notes")


        def handler(event, context):
            notes.set([])
            for item in event["items"]:
                notes.get().append(item)
            return {"notes": notes.get()}
        """
    ),
)

DEFAULT = Rule(
    id="B006",
    name="mutable-argument-default",
    summary="A mutable default argument is changed, or handed out, and so shared by all calls.",
    why={
        Mode.TASK: "the default is made once, and every invocation changes the same object",
        Mode.THREAD: "the default is made once, and every thread changes the same object",
        Mode.PROCESS: "the default is made once, and the next invocation finds what this one left in it",
    },
    production=(
        "A list of errors begins empty for the first request, and with the errors of all before for the others. On "
        "a quiet day the environment is replaced often enough that nobody notices."
    ),
    fix=(
        "Take `None` as the default and make the object in the function: `errors = [] if errors is None else errors`. "
        "A default that is only read may stay."
    ),
    unsafe=code(
        """
        def handler(event, context):
            return {"errors": validate(event)}


        def validate(order, errors=[]):
            if order["count"] < 1:
                errors.append("count must be 1 or more")
            return errors
        """
    ),
    safe=code(
        """
        def handler(event, context):
            return {"errors": validate(event)}


        def validate(order, errors=None):
            errors = [] if errors is None else errors
            if order["count"] < 1:
                errors.append("count must be 1 or more")
            return errors
        """
    ),
)
