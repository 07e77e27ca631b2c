"""AWS's SDKs, and what is built on them."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    THREAD,
    Theme,
    below,
    blocks,
    known,
    loop_bound,
    makes_async_client,
    makes_client,
    process_wide,
    unshareable,
    writes_path,
)

_CLIENT = "botocore.client.BaseClient"
_ASYNC_CLIENT = "aiobotocore.client.AioBaseClient"
_RESOURCE = "boto3.resources.base.ServiceResource"

_AIOBOTOCORE = "aiobotocore, or await asyncio.to_thread(client.{method}, ...)"
_AT_IMPORT = "one client, made at import: threads may share it"
_IN_LIFESPAN = "one client, made in lifespan= with async with, and reached as context.state"
_LOCAL = "can_paginate generate_presigned_url generate_presigned_post get_paginator get_waiter close meta exceptions waiter_names"

# What a resource has below it; capital letters, and no call of the service until one of their methods is called.
_RESOURCES = """Table Bucket Object ObjectSummary ObjectVersion ObjectAcl BucketAcl BucketPolicy BucketCors BucketLifecycle
BucketVersioning BucketWebsite BucketNotification MultipartUpload MultipartUploadPart Queue Message Topic Subscription
PlatformApplication PlatformEndpoint Stack StackResource StackResourceSummary Event Alarm Metric Instance Image Volume
Snapshot SecurityGroup Subnet Vpc VpcPeeringConnection RouteTable NetworkInterface NetworkAcl KeyPair InternetGateway
ElasticIp Role RolePolicy User Group Policy PolicyVersion AccessKey InstanceProfile Vault Archive Account"""

_EVENT_HANDLER = "aws_lambda_powertools.event_handler"
_RESOLVERS = """APIGatewayRestResolver APIGatewayHttpResolver ALBResolver LambdaFunctionUrlResolver VPCLatticeResolver
VPCLatticeV2Resolver ApiGatewayResolver AppSyncResolver AppSyncEventsResolver BedrockAgentResolver
BedrockAgentFunctionResolver"""
_LOGGER = "aws_lambda_powertools.Logger"
_BATCH = "aws_lambda_powertools.utilities.batch"
_PROCESSORS = "BatchProcessor AsyncBatchProcessor SqsFifoPartialProcessor"
_METRICS = "aws_lambda_powertools.Metrics"
_EPHEMERAL = "aws_lambda_powertools.metrics.EphemeralMetrics"

THEME = Theme(
    facts={
        **known(
            (blocks(_AIOBOTOCORE, message="{method}() of a boto3 client blocks the event loop"), f"{_CLIENT}.*"),
            (blocks("aiobotocore"), "botocore.paginate.Paginator.paginate botocore.waiter.Waiter.wait"),
            (
                blocks(
                    "aioboto3, or await asyncio.to_thread(...)",
                    message="{method}() of a boto3 resource blocks the event loop",
                ),
                [f"{_RESOURCE}.*"],
            ),
            (
                makes_client(_AT_IMPORT),
                "boto3.client boto3.session.Session.client botocore.session.Session.create_client",
            ),
            (
                makes_client("one per thread, in a threading.local; or a client, which threads may share"),
                "boto3.resource boto3.session.Session.resource",
            ),
            (makes_client("one session, made at import"), "boto3.session.Session botocore.session.Session"),
            (
                makes_async_client(_IN_LIFESPAN),
                "aiobotocore.session.AioSession.create_client aioboto3.Session.client aioboto3.Session.resource",
            ),
            (
                unshareable(
                    "one resource for all threads: boto3's resources are not thread-safe",
                    "boto3.client(), which threads may share; or one resource per thread, in a threading.local",
                    THREAD,
                ),
                _RESOURCE,
            ),
            (
                unshareable(
                    "one session for all threads: boto3's sessions are not thread-safe",
                    "make the client at import: threads may share that",
                    THREAD,
                ),
                "boto3.session.Session botocore.session.Session",
            ),
            (
                unshareable(
                    "one resolver for all threads: it keeps the current event in an attribute",
                    "a resolver per invocation or thread; or process mode",
                    THREAD,
                ),
                below(_EVENT_HANDLER, _RESOLVERS),
            ),
            (
                # A batch is processed without an await, so that tasks do not get in between.
                unshareable(
                    "one batch processor for all threads: it keeps the records of the current batch, and which of them failed",
                    "a processor per invocation: make it in the handler, and give it to process_partial_response(); or process mode",
                    THREAD,
                ),
                below(_BATCH, _PROCESSORS),
            ),
            (
                unshareable(
                    "one set of metrics and dimensions for all invocations: the first that ends publishes and clears it",
                    "single_metric(), or an EphemeralMetrics made in the invocation, and its flush_metrics() at the end; or process mode",
                ),
                (_METRICS, _EPHEMERAL),
            ),
            (
                loop_bound(
                    "{name}() at import: the client belongs to a loop that does not run yet",
                    "enter it in lifespan=, where the loop runs, and reach it as context.state",
                ),
                "aiobotocore.session.AioSession.create_client aioboto3.Session.client aioboto3.Session.resource",
            ),
            (writes_path(2, "Filename"), below(_CLIENT, "download_file")),
            (writes_path(1, "Filename"), below(_RESOURCE, "download_file")),
            (
                blocks("await asyncio.to_thread(...)"),
                [
                    *below(
                        "aws_lambda_powertools.utilities.parameters",
                        """get_parameter get_parameters get_parameters_by_name get_secret
                        get_app_config set_parameter set_secret""",
                    ),
                    "aws_secretsmanager_caching.SecretCache.get_secret_string",
                    "aws_secretsmanager_caching.SecretCache.get_secret_binary",
                    "smart_open.open",
                    "awswrangler.s3.*",
                    "awswrangler.athena.*",
                    "s3fs.S3FileSystem.open",
                ],
            ),
            (
                process_wide(
                    "LMI209",
                    "Logger.{method}() is for the lines of all invocations",
                    "logger.thread_safe_append_keys(), which keeps its keys in a ContextVar; or extra=",
                ),
                below(
                    _LOGGER,
                    "append_keys remove_keys set_correlation_id structure_logs clear_state inject_lambda_context",
                ),
            ),
        ),
        **{f"{_CLIENT}.{name}": () for name in _LOCAL.split()},
        f"{_CLIENT}.exceptions.*": (),
        f"{_CLIENT}.meta.*": (),
        f"{_RESOURCE}.meta": (),
        f"{_RESOURCE}.name": (),
        **{f"{_RESOURCE}.{name}": () for name in _RESOURCES.split()},
    },
    gives={
        "boto3.client": _CLIENT,
        "boto3.resource": _RESOURCE,
        "boto3.session.Session": "boto3.session.Session",
        "boto3.session.Session.client": _CLIENT,
        "boto3.session.Session.resource": _RESOURCE,
        "botocore.session.Session": "botocore.session.Session",
        "botocore.session.Session.create_client": _CLIENT,
        f"{_CLIENT}.get_paginator": "botocore.paginate.Paginator",
        f"{_CLIENT}.get_waiter": "botocore.waiter.Waiter",
        **{f"{_RESOURCE}.{name}": _RESOURCE for name in _RESOURCES.split()},
        "aiobotocore.session.AioSession": "aiobotocore.session.AioSession",
        "aiobotocore.session.AioSession.create_client": _ASYNC_CLIENT,
        "aioboto3.Session": "aioboto3.Session",
        "aioboto3.Session.client": _ASYNC_CLIENT,
        "aioboto3.Session.resource": "aioboto3.resources.base.AIOBoto3ServiceResource",
        "aws_secretsmanager_caching.SecretCache": "aws_secretsmanager_caching.SecretCache",
        "s3fs.S3FileSystem": "s3fs.S3FileSystem",
        _LOGGER: _LOGGER,
        _METRICS: _METRICS,
        _EPHEMERAL: _EPHEMERAL,
        **{each: each for each in below(_EVENT_HANDLER, _RESOLVERS)},
        **{each: each for each in below(_BATCH, _PROCESSORS)},
    },
    aliases={
        f"{_EVENT_HANDLER}.api_gateway.ApiGatewayResolver": f"{_EVENT_HANDLER}.ApiGatewayResolver",
        f"{_EVENT_HANDLER}.api_gateway.APIGatewayRestResolver": f"{_EVENT_HANDLER}.APIGatewayRestResolver",
        f"{_EVENT_HANDLER}.api_gateway.APIGatewayHttpResolver": f"{_EVENT_HANDLER}.APIGatewayHttpResolver",
        f"{_EVENT_HANDLER}.api_gateway.ALBResolver": f"{_EVENT_HANDLER}.ALBResolver",
        "boto3.Session": "boto3.session.Session",
        "boto3._get_default_session": "boto3.session.Session",
        "botocore.session.get_session": "botocore.session.Session",
        "boto3.DEFAULT_SESSION": "boto3.session.Session",
        "aiobotocore.session.get_session": "aiobotocore.session.AioSession",
        "aioboto3.session.Session": "aioboto3.Session",
        f"{_RESOURCE}.meta.client": _CLIENT,
        "aws_lambda_powertools.logging.Logger": _LOGGER,
        "aws_lambda_powertools.logging.logger.Logger": _LOGGER,
        f"{_BATCH}.base.BatchProcessor": f"{_BATCH}.BatchProcessor",
        f"{_BATCH}.base.AsyncBatchProcessor": f"{_BATCH}.AsyncBatchProcessor",
        f"{_BATCH}.sqs_fifo_partial_processor.SqsFifoPartialProcessor": f"{_BATCH}.SqsFifoPartialProcessor",
        "aws_lambda_powertools.metrics.Metrics": _METRICS,
        "aws_lambda_powertools.metrics.metrics.Metrics": _METRICS,
        "aws_lambda_powertools.metrics.metrics.EphemeralMetrics": _EPHEMERAL,
        "aws_lambda_powertools.metrics.provider.cloudwatch_emf.AmazonCloudWatchEMFProvider": _EPHEMERAL,
    },
)
