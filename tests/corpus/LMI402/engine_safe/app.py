"""The engine is the module's, the session is the invocation's."""
# mode: thread
from database import session


def handler(event, context):
    with session() as database:
        return [row.id for row in database.execute("SELECT id FROM orders")]
