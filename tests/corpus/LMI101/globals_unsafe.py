"""The table of the module's globals, and a name that is computed."""
# mode: thread


def handler(event, context):
    globals()["tenant"] = event["tenant"]  # unsafe: LMI101
    return {"tenant": tenant}
