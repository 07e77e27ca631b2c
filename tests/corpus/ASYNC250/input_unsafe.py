"""A question left over from the desk."""
# mode: task


async def handler(event, context):
    if event.get("confirm"):
        input("go on? ")  # unsafe: ASYNC250
    return "gone on"
