"""The declaration is the claim that is checked, not an excuse."""
# mode: thread
from polylambda import LambdaContext, LambdaManagedRuntime, concurrency_safe

visitors: dict[str, int] = {}


@concurrency_safe
def handler(event: dict, context: LambdaContext) -> dict:
    name = event["name"]
    visitors[name] = visitors.get(name, 0) + 1  # unsafe: LMI101
    return {"visits": visitors[name]}


if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
