"""Makes a connection when it is needed, and takes another one's for its own when it is closed under it."""
# mode: task
import mail

connection = None


async def handler(event, context):
    global connection
    connection = await mail.connect(event["sender"])  # unsafe: LMI101
    try:
        return await connection.send(event["text"])
    finally:
        await connection.close()
