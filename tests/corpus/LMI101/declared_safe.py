"""A function further down that is declared to be safe has been looked at by somebody."""
# mode: thread
from polylambda import LambdaContext, concurrency_safe

recent: list[str] = []


@concurrency_safe
def remember(name: str) -> None:
    recent.append(name)  # list.append is atomic, and old names are dropped by the next line
    del recent[:-8]


def handler(event: dict, context: LambdaContext) -> dict:
    remember(event["name"])
    return {"hello": event["name"]}
