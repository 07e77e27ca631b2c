"""Caches, queues, search."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    LOOP_EACH,
    THREAD,
    Theme,
    below,
    blocks,
    known,
    loop_bound,
    makes_async_client,
    makes_client,
    unshareable,
)

_POOL = "one client, made at import: it is the pool, and threads may share it"
_OTHER_LOOP = "{name}() at import: its connections belong to the first invocation's loop, and fail in the next"
_OWN_LOOP = "an async def handler, whose invocations share one loop"
_LIFESPAN = "start it in lifespan=, where the loop runs, and reach it as context.state"
_NOT_SAFE = "one {name} for all threads: it is not thread-safe"

_REDIS_LOCAL = (
    "pipeline pubsub lock register_script close connection_pool get_connection_kwargs from_url monitor client"
)
_SEARCH = ("elasticsearch.Elasticsearch", "opensearchpy.OpenSearch")

THEME = Theme(
    facts={
        **known(
            (blocks("redis.asyncio"), "redis.Redis.* redis.client.Pipeline.execute redis.client.PubSub.get_message"),
            (blocks("redis.asyncio"), "redis.lock.Lock.acquire redis.lock.Lock.__enter__"),
            (makes_client(_POOL), "redis.Redis redis.ConnectionPool"),
            (
                makes_async_client("one client, made once: it is the pool"),
                "redis.asyncio.Redis redis.asyncio.ConnectionPool",
            ),
            (loop_bound(_OTHER_LOOP, _OWN_LOOP, LOOP_EACH), "redis.asyncio.Redis redis.asyncio.ConnectionPool"),
            (
                unshareable(
                    "one {name} for all invocations: their commands go in one batch", "a pipeline for every invocation"
                ),
                "redis.client.Pipeline",
            ),
            (unshareable(_NOT_SAFE, "one for every invocation", THREAD), "redis.client.PubSub"),
            (
                blocks("aiomcache"),
                "pymemcache.Client.* pymemcache.PooledClient.* pymemcache.HashClient.* pylibmc.Client.*",
            ),
            (unshareable(_NOT_SAFE, "pymemcache.client.base.PooledClient", THREAD), "pymemcache.Client"),
            (unshareable(_NOT_SAFE, "pylibmc.ThreadMappedPool", THREAD), "pylibmc.Client"),
            (makes_client(_POOL), "pymemcache.PooledClient pymemcache.HashClient"),
            (blocks("aio_pika"), "pika.BlockingConnection"),
            (
                blocks("aio_pika"),
                below("pika.BlockingConnection", "channel process_data_events sleep close"),
            ),
            (
                blocks("aio_pika"),
                below(
                    "pika.adapters.blocking_connection.BlockingChannel",
                    """basic_publish basic_get basic_consume basic_ack queue_declare exchange_declare queue_bind
                    start_consuming close""",
                ),
            ),
            (
                unshareable(
                    "one {name} for all threads: pika's connections and channels are not thread-safe",
                    "a connection per thread, in a threading.local; or aio_pika.connect_robust() in lifespan=",
                    THREAD,
                ),
                "pika.BlockingConnection pika.adapters.blocking_connection.BlockingChannel",
            ),
            (blocks("aiokafka.AIOKafkaProducer"), below("kafka.KafkaProducer", "flush close partitions_for")),
            (blocks("aiokafka.AIOKafkaConsumer"), below("kafka.KafkaConsumer", "poll commit close seek __next__")),
            (blocks("aiokafka.AIOKafkaProducer"), below("confluent_kafka.Producer", "flush list_topics")),
            (blocks("aiokafka.AIOKafkaConsumer"), below("confluent_kafka.Consumer", "poll consume commit close")),
            (
                makes_client("one producer, made at import: threads may share it"),
                "kafka.KafkaProducer confluent_kafka.Producer",
            ),
            (makes_async_client("one producer, started in lifespan="), "aiokafka.AIOKafkaProducer"),
            (unshareable(_NOT_SAFE, "a consumer per thread", THREAD), "kafka.KafkaConsumer"),
            (
                loop_bound("{name}() at import: no loop runs yet that it could belong to", _LIFESPAN),
                "aiokafka.AIOKafkaProducer aiokafka.AIOKafkaConsumer aio_pika.connect aio_pika.connect_robust nats.connect",
            ),
            (blocks("elasticsearch.AsyncElasticsearch"), [f"{_SEARCH[0]}.*"]),
            (blocks("opensearchpy.AsyncOpenSearch"), [f"{_SEARCH[1]}.*"]),
            (makes_client(_POOL), _SEARCH),
            (
                makes_async_client("one client, made once: it is the pool"),
                "elasticsearch.AsyncElasticsearch opensearchpy.AsyncOpenSearch",
            ),
            (
                loop_bound(_OTHER_LOOP, _OWN_LOOP, LOOP_EACH),
                "elasticsearch.AsyncElasticsearch opensearchpy.AsyncOpenSearch",
            ),
            (blocks("await asyncio.to_thread(...)"), "celery.Celery.send_task celery.result.AsyncResult.get"),
            (blocks("aiomqtt"), "paho.mqtt.publish.single paho.mqtt.publish.multiple paho.mqtt.client.Client.connect"),
        ),
        **{f"redis.Redis.{name}": () for name in _REDIS_LOCAL.split()},
        **{f"{client}.{name}": () for client in _SEARCH for name in ("options", "transport", "close")},
        "pymemcache.Client.close": (),
        "pymemcache.PooledClient.close": (),
    },
    gives={
        "redis.Redis": "redis.Redis",
        "redis.Redis.from_url": "redis.Redis",
        "redis.Redis.pipeline": "redis.client.Pipeline",
        "redis.Redis.pubsub": "redis.client.PubSub",
        "redis.Redis.lock": "redis.lock.Lock",
        "redis.ConnectionPool": "redis.ConnectionPool",
        "redis.asyncio.Redis": "redis.asyncio.Redis",
        "redis.asyncio.Redis.from_url": "redis.asyncio.Redis",
        "redis.asyncio.ConnectionPool": "redis.asyncio.ConnectionPool",
        "pymemcache.Client": "pymemcache.Client",
        "pymemcache.PooledClient": "pymemcache.PooledClient",
        "pymemcache.HashClient": "pymemcache.HashClient",
        "pylibmc.Client": "pylibmc.Client",
        "pika.BlockingConnection": "pika.BlockingConnection",
        "pika.BlockingConnection.channel": "pika.adapters.blocking_connection.BlockingChannel",
        "kafka.KafkaProducer": "kafka.KafkaProducer",
        "kafka.KafkaConsumer": "kafka.KafkaConsumer",
        "confluent_kafka.Producer": "confluent_kafka.Producer",
        "confluent_kafka.Consumer": "confluent_kafka.Consumer",
        "elasticsearch.Elasticsearch": "elasticsearch.Elasticsearch",
        "elasticsearch.AsyncElasticsearch": "elasticsearch.AsyncElasticsearch",
        "opensearchpy.OpenSearch": "opensearchpy.OpenSearch",
        "opensearchpy.AsyncOpenSearch": "opensearchpy.AsyncOpenSearch",
        "celery.Celery": "celery.Celery",
        "paho.mqtt.client.Client": "paho.mqtt.client.Client",
    },
    aliases={
        "redis.StrictRedis": "redis.Redis",
        "redis.RedisCluster": "redis.Redis",
        "redis.client.Redis": "redis.Redis",
        "redis.client.StrictRedis": "redis.Redis",
        "redis.cluster.RedisCluster": "redis.Redis",
        "redis.from_url": "redis.Redis.from_url",
        "redis.connection.ConnectionPool": "redis.ConnectionPool",
        "redis.BlockingConnectionPool": "redis.ConnectionPool",
        "redis.asyncio.StrictRedis": "redis.asyncio.Redis",
        "redis.asyncio.RedisCluster": "redis.asyncio.Redis",
        "redis.asyncio.client.Redis": "redis.asyncio.Redis",
        "redis.asyncio.from_url": "redis.asyncio.Redis.from_url",
        "redis.asyncio.BlockingConnectionPool": "redis.asyncio.ConnectionPool",
        "valkey.Valkey": "redis.Redis",
        "valkey.from_url": "redis.Redis.from_url",
        "pymemcache.client.base.Client": "pymemcache.Client",
        "pymemcache.client.Client": "pymemcache.Client",
        "pymemcache.client.base.PooledClient": "pymemcache.PooledClient",
        "pymemcache.client.hash.HashClient": "pymemcache.HashClient",
        "pika.adapters.blocking_connection.BlockingConnection": "pika.BlockingConnection",
    },
)
