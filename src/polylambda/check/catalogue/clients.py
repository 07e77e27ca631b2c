"""Clients, sessions and connections: which belong to the process, which to an invocation, and which to an event loop."""

from __future__ import annotations

from polylambda.check.catalogue.group import code
from polylambda.check.finding import Mode
from polylambda.check.rule import Rule

LOOP = Rule(
    id="LMI401",
    name="object-of-another-loop",
    summary="An async object is used on another event loop than the one that it belongs to.",
    why={
        Mode.TASK: "while the module is imported no loop runs; what needs one fails, or waits for a loop that never runs",
        Mode.THREAD: "`asyncio.run` in each thread makes a loop for each, and the object belongs to one of them",
        Mode.PROCESS: "`asyncio.run` in each invocation makes a new loop, and the object belongs to the first one",
    },
    production=(
        "The first invocation of an environment works, the second fails with `RuntimeError: Event loop is closed` or `is "
        "bound to a different event loop`, sometimes only when the connection that it finds in the pool is an old one. "
        "That is why it passes every test with one event."
    ),
    fix=(
        "Write an `async def` handler: all invocations of its process share one loop, for as long as it lives, and what "
        "they share is made in the lifespan, on that loop. In a `def` handler with `asyncio.run`, make the object inside "
        "of what runs."
    ),
    unsafe=code(
        """
        import asyncio

        import httpx

        client = httpx.AsyncClient()


        async def fetch(url):
            answer = await client.get(url)
            return answer.status_code


        def handler(event, context):
            return asyncio.run(fetch(event["url"]))
        """
    ),
    safe=code(
        """
        import httpx

        client = httpx.AsyncClient()


        async def handler(event, context):
            answer = await client.get(event["url"])
            return answer.status_code
        """
    ),
)

REMADE = Rule(
    id="LMI402",
    name="client-made-per-invocation",
    summary="A client that should be shared is made for every invocation.",
    why={
        Mode.TASK: "each client has a pool of its own, and making one computes for milliseconds on the loop",
        Mode.THREAD: "each client has a pool of its own, and making one computes for milliseconds under the GIL",
    },
    production=(
        "A client of boto3 reads its service's model, some 10 to 100 ms of CPU, and opens new connections, each with a "
        "handshake. With sixty-four invocations at a time that is most of what the environment does; descriptors run out "
        "at 4,096; a database refuses connections, as each engine brings its own pool."
    ),
    fix=(
        "Make it at import, or in the lifespan, or in a function with `functools.cache`. Clients of boto3, "
        "`httpx.AsyncClient` and engines of SQLAlchemy are meant to be shared. A client with the credentials of one "
        "caller belongs to the invocation, and is not reported."
    ),
    unsafe=code(
        """
        import boto3


        def handler(event, context):
            s3 = boto3.client("s3")
            return s3.head_object(Bucket="orders", Key=event["key"])["ContentLength"]
        """
    ),
    safe=code(
        """
        import boto3

        s3 = boto3.client("s3")


        def handler(event, context):
            return s3.head_object(Bucket="orders", Key=event["key"])["ContentLength"]
        """
    ),
)

UNSHAREABLE = Rule(
    id="LMI403",
    name="unshareable-object-shared",
    summary="An object that one user at a time may use is shared.",
    why={
        Mode.TASK: "between two awaits another invocation uses it, in the middle of what this one does with it",
        Mode.THREAD: "it is not made for two threads at once: what it keeps of one call, the other overwrites",
    },
    production=(
        "A session of SQLAlchemy commits what another invocation has half done, or raises `IllegalStateChangeError`. A "
        "cursor gives the rows of another query. A resource of boto3 loads its attributes twice, or half. A resolver of "
        "Powertools answers with another request's event, its batch processor reports another batch's failures, and its "
        "metrics get another tenant's dimension. All of them are rare, and look like bugs elsewhere."
    ),
    fix=(
        "Share what is made for it, and make the rest for each invocation: the engine and the `sessionmaker` are the "
        "module's, the session is the invocation's; the client of boto3 is shared in place of the resource. In threads "
        "an object for each thread, in a `threading.local`, will do. Or run in `process` mode."
    ),
    unsafe=code(
        """
        import boto3

        table = boto3.resource("dynamodb").Table("orders")


        def handler(event, context):
            return table.get_item(Key={"id": event["id"]}).get("Item")
        """
    ),
    safe=code(
        """
        import boto3

        dynamodb = boto3.client("dynamodb")


        def handler(event, context):
            return dynamodb.get_item(TableName="orders", Key={"id": {"S": event["id"]}}).get("Item")
        """
    ),
)

UNPOOLED = Rule(
    id="LMI404",
    name="single-connection-shared",
    summary="One connection without a pool is shared by all invocations.",
    why={
        Mode.TASK: "one query at a time: a second one fails, or waits, and transactions are everybody's",
        Mode.THREAD: "one query at a time, and one transaction: whoever commits or rolls back does it for all",
    },
    production=(
        "asyncpg raises `InterfaceError: another operation is in progress`. psycopg has one invocation wait for another, "
        "so that the concurrency is one, and a rollback in one takes back the rows of all. When the server closes the "
        "connection, every invocation fails until the environment is replaced."
    ),
    fix=(
        "A pool: `psycopg_pool.ConnectionPool`, `asyncpg.create_pool`, an engine of SQLAlchemy. Its size is the number "
        "of connections that the database can spare for one environment, not the number of slots. Async pools are made "
        "in the lifespan."
    ),
    unsafe=code(
        """
        import psycopg

        connection = psycopg.connect("dbname=orders")


        def handler(event, context):
            with connection.transaction():
                connection.execute("INSERT INTO orders (item) VALUES (%s)", (event["item"],))
        """
    ),
    safe=code(
        """
        from psycopg_pool import ConnectionPool

        pool = ConnectionPool("dbname=orders", max_size=8)


        def handler(event, context):
            with pool.connection() as connection:
                connection.execute("INSERT INTO orders (item) VALUES (%s)", (event["item"],))
        """
    ),
)
