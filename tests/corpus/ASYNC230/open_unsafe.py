"""Files block, on a network file system for long."""
# mode: task


async def handler(event, context):
    with open(f"/mnt/efs/{event['name']}") as file:  # unsafe: ASYNC230
        return file.read()
