"""Database drivers and what is built on them."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    LOOP_EACH,
    TASK,
    THREAD,
    Fact,
    Theme,
    below,
    blocks,
    known,
    loop_bound,
    makes_async_client,
    makes_client,
    unpooled,
    unshareable,
)

# Drivers that follow PEP 249 and wait for the server: what connects, the asynchronous driver, the pool.
_DRIVERS = (
    ("psycopg2.connect", "psycopg.AsyncConnection or asyncpg", "psycopg2.pool.ThreadedConnectionPool"),
    ("psycopg.connect", "psycopg.AsyncConnection", "psycopg_pool.ConnectionPool"),
    ("pymysql.connect", "aiomysql or asyncmy", "SQLAlchemy's create_engine(), for its pool"),
    ("MySQLdb.connect", "aiomysql or asyncmy", "SQLAlchemy's create_engine(), for its pool"),
    ("mysql.connector.connect", "mysql.connector.aio", "mysql.connector.pooling.MySQLConnectionPool"),
    ("mariadb.connect", "asyncmy", "mariadb.ConnectionPool"),
    ("pg8000.connect", "asyncpg", "SQLAlchemy's create_engine(), for its pool"),
    ("pyodbc.connect", "aioodbc", "SQLAlchemy's create_engine(), for its pool"),
    ("pymssql.connect", "aioodbc", "SQLAlchemy's create_engine(), for its pool"),
    ("oracledb.connect", "oracledb.connect_async()", "oracledb.create_pool()"),
    ("cx_Oracle.connect", "oracledb.connect_async()", "cx_Oracle.SessionPool"),
    ("redshift_connector.connect", "await asyncio.to_thread(...)", "SQLAlchemy's create_engine(), for its pool"),
    ("snowflake.connector.connect", "await asyncio.to_thread(...)", "SQLAlchemy's create_engine(), for its pool"),
    ("databricks.sql.connect", "await asyncio.to_thread(...)", "a connection for every invocation"),
    ("trino.dbapi.connect", "aiotrino", "a connection for every invocation"),
    ("clickhouse_driver.connect", "asynch", "a connection for every invocation"),
    ("duckdb.connect", "await asyncio.to_thread(...)", "connection.cursor() for every invocation"),
)
_CONNECTION = "execute executemany commit rollback callproc"
_CURSOR = "execute executemany fetchone fetchmany fetchall callproc copy_from copy_to copy_expert nextset"
_POOLS = "one pool, made at import"
_SHARED_CURSOR = unshareable(
    "one {name} for all invocations: one's query takes the other's rows", "a cursor for every query"
)

_LIFESPAN = "make it in lifespan=, where the loop runs, and reach it as context.state"
_OTHER_LOOP = "{name}() at import: its connections belong to the first invocation's loop, and fail in the next"
_OWN_LOOP = "an async def handler, whose invocations share one loop"
_SESSION = "one {name} for all invocations: they share a transaction and its objects"
_SESSIONS = "with Session() as session: in the handler, from one sessionmaker"
_ASYNC_SESSIONS = "async with async_session() as session: in the handler, from one async_sessionmaker"
_SQLALCHEMY = "create_async_engine() and AsyncSession"

_SQL_SESSION = """execute scalar scalars get get_one query commit rollback flush refresh merge begin_nested bulk_save_objects
bulk_insert_mappings exec"""
_QUERY = "all first one one_or_none scalar count delete update get"

_COLLECTION = """find_one find_one_and_update find_one_and_replace find_one_and_delete insert_one insert_many update_one update_many
replace_one delete_one delete_many count_documents estimated_document_count distinct aggregate bulk_write create_index
drop"""


def _connection(connect: str) -> str:
    return f"{connect.rpartition('.')[0]}.Connection"


def _cursor(connect: str) -> str:
    return f"{connect.rpartition('.')[0]}.Cursor"


def _drivers() -> list[tuple[Fact, list[str]]]:
    found: list[tuple[Fact, list[str]]] = []
    for connect, asynchronous, pool in _DRIVERS:
        connection, cursor = _connection(connect), _cursor(connect)
        names = [connect, *below(connection, _CONNECTION), *below(cursor, _CURSOR)]
        found.append((blocks(asynchronous), names))
        found.append((unpooled(pool), [connection]))
        found.append((_SHARED_CURSOR, [cursor]))
    return found


def _connections() -> dict[str, str]:
    gives: dict[str, str] = {}
    for connect, _, _ in _DRIVERS:
        connection, cursor = _connection(connect), _cursor(connect)
        gives |= {connect: connection, connection: connection, f"{connection}.cursor": cursor}
    return gives


THEME = Theme(
    facts=known(
        *_drivers(),
        (
            unshareable(
                "one {name} for all threads: it is not thread-safe", "psycopg2.pool.ThreadedConnectionPool", THREAD
            ),
            "psycopg2.pool.SimpleConnectionPool",
        ),
        (blocks("psycopg_pool.AsyncConnectionPool"), "psycopg2.pool.ThreadedConnectionPool.getconn"),
        (
            blocks("psycopg_pool.AsyncConnectionPool"),
            below("psycopg_pool.ConnectionPool", "connection getconn wait open"),
        ),
        (
            makes_client(_POOLS),
            """psycopg2.pool.ThreadedConnectionPool psycopg2.pool.SimpleConnectionPool psycopg_pool.ConnectionPool
            mysql.connector.pooling.MySQLConnectionPool mariadb.ConnectionPool oracledb.create_pool cx_Oracle.SessionPool""",
        ),
        # Asynchronous drivers.
        (
            unpooled(
                "asyncpg.create_pool(), in lifespan=", "one asyncpg connection for all: it runs one query at a time"
            ),
            "asyncpg.Connection",
        ),
        (unpooled("psycopg_pool.AsyncConnectionPool, in lifespan="), "psycopg.AsyncConnection"),
        (unpooled("aiomysql.create_pool(), in lifespan="), "aiomysql.Connection"),
        (unpooled("asyncmy.create_pool(), in lifespan="), "asyncmy.Connection"),
        (unpooled("aioodbc.create_pool(), in lifespan="), "aioodbc.Connection"),
        (unpooled("oracledb.create_pool_async(), in lifespan="), "oracledb.AsyncConnection"),
        (
            unshareable(
                "one {name} for all invocations: they are in one transaction", "a connection for every invocation"
            ),
            "aiosqlite.Connection",
        ),
        (
            makes_async_client("one pool, made in lifespan="),
            "asyncpg.create_pool psycopg_pool.AsyncConnectionPool aiomysql.create_pool asyncmy.create_pool aiopg.create_pool",
        ),
        (
            loop_bound("{name}() at import: no loop runs yet that it could belong to", _LIFESPAN),
            """asyncpg.create_pool asyncpg.connect psycopg_pool.AsyncConnectionPool aiomysql.create_pool aiomysql.connect
            asyncmy.create_pool aiopg.create_pool""",
        ),
        # SQLAlchemy and SQLModel.
        (
            makes_client("one engine, made at import: it is the pool"),
            "sqlalchemy.create_engine sqlalchemy.engine_from_config",
        ),
        (
            makes_async_client("one engine, made at import: it is the pool"),
            "sqlalchemy.ext.asyncio.create_async_engine",
        ),
        (loop_bound(_OTHER_LOOP, _OWN_LOOP, LOOP_EACH), "sqlalchemy.ext.asyncio.create_async_engine"),
        (blocks(_SQLALCHEMY), below("sqlalchemy.Engine", "connect begin raw_connection")),
        (
            blocks(_SQLALCHEMY),
            below("sqlalchemy.Connection", "execute scalar scalars exec_driver_sql commit rollback begin"),
        ),
        (blocks(_SQLALCHEMY), below("sqlalchemy.orm.Session", _SQL_SESSION)),
        (blocks(_SQLALCHEMY), below("sqlalchemy.orm.Query", _QUERY)),
        (
            blocks(_SQLALCHEMY),
            "sqlalchemy.MetaData.create_all sqlalchemy.MetaData.drop_all sqlalchemy.MetaData.reflect",
        ),
        (unpooled("with engine.connect() as connection: in the handler"), "sqlalchemy.Connection"),
        (
            unpooled("async with engine.connect() as connection: in the handler"),
            "sqlalchemy.ext.asyncio.AsyncConnection",
        ),
        (unshareable(_SESSION, _SESSIONS), "sqlalchemy.orm.Session"),
        (unshareable(_SESSION, _ASYNC_SESSIONS), "sqlalchemy.ext.asyncio.AsyncSession"),
        (
            unshareable(
                "one session a thread, and all invocations are in one thread: they share a transaction", _SESSIONS, TASK
            ),
            "sqlalchemy.orm.scoped_session",
        ),
        # MongoDB.
        (makes_client("one client, made at import: it is the pool"), "pymongo.MongoClient"),
        (
            makes_async_client("one client, made once: it is the pool"),
            "pymongo.AsyncMongoClient motor.motor_asyncio.AsyncIOMotorClient",
        ),
        (
            loop_bound(_OTHER_LOOP, _OWN_LOOP, LOOP_EACH),
            "pymongo.AsyncMongoClient motor.motor_asyncio.AsyncIOMotorClient",
        ),
        (
            blocks("pymongo.AsyncMongoClient"),
            [
                *below("pymongo.collection.Collection", _COLLECTION),
                *below("pymongo.database.Database", "command list_collection_names create_collection drop_collection"),
                *below("pymongo.MongoClient", "server_info list_database_names drop_database"),
            ],
        ),
        # Others.
        (blocks("neo4j.AsyncGraphDatabase"), below("neo4j.Driver", "execute_query verify_connectivity")),
        (
            blocks("neo4j.AsyncGraphDatabase"),
            below("neo4j.Session", "run execute_read execute_write begin_transaction"),
        ),
        (
            unshareable(
                "one neo4j.Session for all invocations: it is not for concurrent use",
                "with driver.session() as session:",
            ),
            "neo4j.Session",
        ),
        (makes_client("one driver, made at import"), "neo4j.GraphDatabase.driver"),
        (makes_async_client("one driver, made once"), "neo4j.AsyncGraphDatabase.driver"),
        (blocks("await asyncio.wrap_future(...), of session.execute_async()"), "cassandra.cluster.Session.execute"),
        (makes_client("one cluster, made at import"), "cassandra.cluster.Cluster"),
        (blocks("await asyncio.to_thread(...)"), below("pandas", "read_sql read_sql_query read_sql_table")),
    ),
    gives={
        **_connections(),
        "psycopg.Connection.connect": "psycopg.Connection",
        "psycopg.Connection.execute": "psycopg.Cursor",
        "psycopg.AsyncConnection.connect": "psycopg.AsyncConnection",
        "psycopg_pool.ConnectionPool": "psycopg_pool.ConnectionPool",
        "psycopg_pool.ConnectionPool.connection": "psycopg.Connection",
        "psycopg_pool.ConnectionPool.getconn": "psycopg.Connection",
        "psycopg_pool.AsyncConnectionPool": "psycopg_pool.AsyncConnectionPool",
        "psycopg2.pool.ThreadedConnectionPool": "psycopg2.pool.ThreadedConnectionPool",
        "psycopg2.pool.ThreadedConnectionPool.getconn": "psycopg2.Connection",
        "psycopg2.pool.SimpleConnectionPool": "psycopg2.pool.SimpleConnectionPool",
        "psycopg2.pool.SimpleConnectionPool.getconn": "psycopg2.Connection",
        "mysql.connector.pooling.MySQLConnectionPool": "mysql.connector.pooling.MySQLConnectionPool",
        "mysql.connector.pooling.MySQLConnectionPool.get_connection": "mysql.connector.Connection",
        "asyncpg.connect": "asyncpg.Connection",
        "asyncpg.create_pool": "asyncpg.Pool",
        "aiomysql.connect": "aiomysql.Connection",
        "asyncmy.connect": "asyncmy.Connection",
        "aioodbc.connect": "aioodbc.Connection",
        "aiosqlite.connect": "aiosqlite.Connection",
        "oracledb.connect_async": "oracledb.AsyncConnection",
        "sqlalchemy.create_engine": "sqlalchemy.Engine",
        "sqlalchemy.engine_from_config": "sqlalchemy.Engine",
        "sqlalchemy.Engine.connect": "sqlalchemy.Connection",
        "sqlalchemy.Engine.begin": "sqlalchemy.Connection",
        "sqlalchemy.ext.asyncio.create_async_engine": "sqlalchemy.ext.asyncio.AsyncEngine",
        "sqlalchemy.ext.asyncio.AsyncEngine.connect": "sqlalchemy.ext.asyncio.AsyncConnection",
        "sqlalchemy.ext.asyncio.AsyncEngine.begin": "sqlalchemy.ext.asyncio.AsyncConnection",
        "sqlalchemy.orm.Session": "sqlalchemy.orm.Session",
        "sqlalchemy.orm.Session.query": "sqlalchemy.orm.Query",
        "sqlalchemy.orm.Query.filter": "sqlalchemy.orm.Query",
        "sqlalchemy.orm.Query.filter_by": "sqlalchemy.orm.Query",
        "sqlalchemy.orm.Query.order_by": "sqlalchemy.orm.Query",
        "sqlalchemy.orm.Query.limit": "sqlalchemy.orm.Query",
        "sqlalchemy.orm.sessionmaker": "sqlalchemy.orm.sessionmaker",
        "sqlalchemy.orm.sessionmaker.__call__": "sqlalchemy.orm.Session",
        "sqlalchemy.orm.sessionmaker.begin": "sqlalchemy.orm.Session",
        "sqlalchemy.orm.scoped_session": "sqlalchemy.orm.scoped_session",
        "sqlalchemy.orm.scoped_session.__call__": "sqlalchemy.orm.Session",
        "sqlalchemy.ext.asyncio.AsyncSession": "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.ext.asyncio.async_sessionmaker": "sqlalchemy.ext.asyncio.async_sessionmaker",
        "sqlalchemy.ext.asyncio.async_sessionmaker.__call__": "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.MetaData": "sqlalchemy.MetaData",
        "pymongo.MongoClient": "pymongo.MongoClient",
        "pymongo.MongoClient.__getitem__": "pymongo.database.Database",
        "pymongo.MongoClient.__getattr__": "pymongo.database.Database",
        "pymongo.database.Database.__getattr__": "pymongo.collection.Collection",
        "pymongo.MongoClient.get_database": "pymongo.database.Database",
        "pymongo.MongoClient.get_default_database": "pymongo.database.Database",
        "pymongo.database.Database.__getitem__": "pymongo.collection.Collection",
        "pymongo.database.Database.get_collection": "pymongo.collection.Collection",
        "pymongo.AsyncMongoClient": "pymongo.AsyncMongoClient",
        "motor.motor_asyncio.AsyncIOMotorClient": "motor.motor_asyncio.AsyncIOMotorClient",
        "neo4j.GraphDatabase.driver": "neo4j.Driver",
        "neo4j.Driver.session": "neo4j.Session",
        "cassandra.cluster.Cluster": "cassandra.cluster.Cluster",
        "cassandra.cluster.Cluster.connect": "cassandra.cluster.Session",
    },
    aliases={
        "psycopg2.extensions.connection": "psycopg2.Connection",
        "psycopg2.extensions.cursor": "psycopg2.Cursor",
        "pymysql.connections.Connection": "pymysql.Connection",
        "pymysql.Connect": "pymysql.connect",
        "pymysql.cursors": "pymysql",
        "MySQLdb.Connect": "MySQLdb.connect",
        "mysql.connector.MySQLConnection": "mysql.connector.Connection",
        "duckdb.DuckDBPyConnection": "duckdb.Connection",
        "asyncpg.connection.connect": "asyncpg.connect",
        "asyncpg.pool.create_pool": "asyncpg.create_pool",
        "asyncpg.connection.Connection": "asyncpg.Connection",
        "asyncpg.pool.Pool": "asyncpg.Pool",
        "sqlalchemy.engine.Engine": "sqlalchemy.Engine",
        "sqlalchemy.engine.Connection": "sqlalchemy.Connection",
        "sqlalchemy.engine.create_engine": "sqlalchemy.create_engine",
        "sqlalchemy.orm.session.Session": "sqlalchemy.orm.Session",
        "sqlalchemy.orm.session.sessionmaker": "sqlalchemy.orm.sessionmaker",
        "sqlalchemy.orm.scoping.scoped_session": "sqlalchemy.orm.scoped_session",
        "sqlmodel.Session": "sqlalchemy.orm.Session",
        "sqlmodel.create_engine": "sqlalchemy.create_engine",
        "sqlmodel.ext.asyncio.session.AsyncSession": "sqlalchemy.ext.asyncio.AsyncSession",
        "pymongo.mongo_client.MongoClient": "pymongo.MongoClient",
        "pymongo.database.Collection": "pymongo.collection.Collection",
    },
)
