"""An engine is a pool; one an invocation is a pool for one connection, which nobody closes."""
# mode: thread
from database import session


def handler(event, context):
    with session() as database:
        return [row.id for row in database.execute("SELECT id FROM orders")]
