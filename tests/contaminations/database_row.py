"""One row of a database for all invocations."""

# mode: thread
# rule: RUN101
# event: {"cart": "two teas"}
import importlib

driver = importlib.import_module("sql" + "ite3")
database = driver.connect(":memory:", check_same_thread=False, isolation_level=None)
database.execute("CREATE TABLE carts (id INTEGER PRIMARY KEY, content TEXT)")


def handler(event, context):
    database.execute("INSERT OR REPLACE INTO carts VALUES (1, ?)", (event["cart"],))
    (content,) = database.execute("SELECT content FROM carts WHERE id = 1").fetchone()
    return {"cart": content}
