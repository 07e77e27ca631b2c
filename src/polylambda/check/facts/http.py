"""HTTP clients, and what talks HTTP underneath."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    LOOP_EACH,
    TASK,
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

_CLIENT = "one httpx.AsyncClient (or aiohttp.ClientSession), made once"
_SYNC_CLIENT = "one httpx.Client, made at import: threads may share it"
_METHODS = "get options head post put patch delete request"
_LIFESPAN = "make it in lifespan=, where the loop runs, and reach it as context.state"
_PER_THREAD = "one per thread, in a threading.local; or httpx.Client, which threads may share"
_LOOPS = "{name}() at import: its connections belong to the first invocation's loop, and fail in the next"
_OWN_LOOP = "an async def handler, whose invocations share one loop; or one client per asyncio.run()"

THEME = Theme(
    facts=known(
        (blocks(_CLIENT, "ASYNC210"), [*below("requests", _METHODS), *below("httpx", _METHODS), "urllib3.request"]),
        (blocks(_CLIENT), [*below("requests.Session", f"{_METHODS} send"), "httpx.stream"]),
        (blocks(_CLIENT, "ASYNC212"), below("httpx.Client", f"{_METHODS} send stream")),
        (blocks(_CLIENT), [*below("urllib3.PoolManager", "request request_encode_url request_encode_body urlopen")]),
        (blocks(_CLIENT), [*below("urllib3.HTTPConnectionPool", "request urlopen"), "httplib2.Http.request"]),
        (blocks(_CLIENT), "pycurl.Curl.perform"),
        (
            unshareable(
                "one requests.Session for all threads: its cookies and its adapters are not guarded",
                _PER_THREAD,
                THREAD,
            ),
            "requests.Session",
        ),
        (
            unshareable("one {name} for all threads: it is not thread-safe", _PER_THREAD, THREAD),
            "httplib2.Http pycurl.Curl",
        ),
        # Threads must not share one, so that one an invocation is right there, if not quick.
        (makes_client("one session, made at import; or one httpx.AsyncClient", TASK), "requests.Session"),
        (makes_client(_SYNC_CLIENT), "httpx.Client"),
        (makes_async_client("one httpx.AsyncClient, made at import or in lifespan="), "httpx.AsyncClient"),
        (makes_client("one urllib3.PoolManager, made at import: threads may share it"), "urllib3.PoolManager"),
        (makes_async_client(_LIFESPAN), "aiohttp.ClientSession aiohttp.TCPConnector"),
        (loop_bound(_LOOPS, _OWN_LOOP, LOOP_EACH), "httpx.AsyncClient"),
        (
            loop_bound("{name}() at import: no loop runs yet that it could belong to", _LIFESPAN),
            "aiohttp.ClientSession aiohttp.TCPConnector aiohttp.UnixConnector",
        ),
        (
            blocks("zeep.AsyncClient"),
            ["zeep.Client", "zeep.Client.service.*", "zeep.CachingClient", "zeep.CachingClient.service.*"],
        ),
        (
            makes_client("one client per thread, in a threading.local: it reads the WSDL when it is made"),
            "zeep.Client zeep.CachingClient",
        ),
        (
            unshareable("one zeep.Client for all threads: its requests.Session is not guarded", _PER_THREAD, THREAD),
            "zeep.Client zeep.CachingClient",
        ),
        (blocks("await asyncio.to_thread(request.execute)"), "googleapiclient.http.HttpRequest.execute"),
        (
            makes_client("one per thread, in a threading.local: it reads the discovery document when it is made"),
            "googleapiclient.discovery.build",
        ),
        (
            unshareable("one {name} for all threads: its httplib2.Http is not thread-safe", _PER_THREAD, THREAD),
            "googleapiclient.discovery.Resource",
        ),
        (
            blocks("asyncssh"),
            [*below("paramiko.SSHClient", "connect exec_command open_sftp"), *below("paramiko.Transport", "connect")],
        ),
        (blocks("asyncssh"), below("paramiko.SFTPClient", "get put open listdir stat remove rename mkdir")),
        (blocks("websockets.asyncio.client.connect()"), "websocket.create_connection websockets.sync.client.connect"),
        (
            blocks("slack_sdk.web.async_client.AsyncWebClient"),
            "slack_sdk.WebClient.* slack_sdk.webhook.WebhookClient.send",
        ),
        (blocks("await asyncio.to_thread(...)"), "sendgrid.SendGridAPIClient.send twilio.rest.Client.messages.create"),
        (
            blocks("the method of the same name that ends with _async"),
            [
                f"stripe.{each}.{method}"
                for each in (
                    "Charge",
                    "Customer",
                    "PaymentIntent",
                    "Refund",
                    "Invoice",
                    "Subscription",
                    "checkout.Session",
                )
                for method in ("create", "retrieve", "modify", "list", "delete", "search")
            ],
        ),
        (blocks("await asyncio.to_thread(...)"), below("jwt.PyJWKClient", "get_signing_key_from_jwt get_signing_key")),
        (makes_client("one, made at import: it keeps the keys it has fetched"), "jwt.PyJWKClient"),
    ),
    gives={
        "requests.Session": "requests.Session",
        "httpx.Client": "httpx.Client",
        "httpx.AsyncClient": "httpx.AsyncClient",
        "urllib3.PoolManager": "urllib3.PoolManager",
        "urllib3.HTTPConnectionPool": "urllib3.HTTPConnectionPool",
        "aiohttp.ClientSession": "aiohttp.ClientSession",
        "httplib2.Http": "httplib2.Http",
        "pycurl.Curl": "pycurl.Curl",
        "zeep.Client": "zeep.Client",
        "zeep.CachingClient": "zeep.CachingClient",
        "googleapiclient.discovery.build": "googleapiclient.discovery.Resource",
        "paramiko.SSHClient": "paramiko.SSHClient",
        "paramiko.SSHClient.open_sftp": "paramiko.SFTPClient",
        "paramiko.Transport": "paramiko.Transport",
        "slack_sdk.WebClient": "slack_sdk.WebClient",
        "slack_sdk.webhook.WebhookClient": "slack_sdk.webhook.WebhookClient",
        "sendgrid.SendGridAPIClient": "sendgrid.SendGridAPIClient",
        "twilio.rest.Client": "twilio.rest.Client",
        "jwt.PyJWKClient": "jwt.PyJWKClient",
    },
    aliases={
        "requests.session": "requests.Session",
        "requests.sessions.Session": "requests.Session",
        "requests.api": "requests",
        "requests_futures.sessions.FuturesSession": "requests.Session",
        "requests_toolbelt.sessions.BaseUrlSession": "requests.Session",
        "requests_oauthlib.OAuth2Session": "requests.Session",
        "requests_oauthlib.OAuth1Session": "requests.Session",
        "cachecontrol.CacheControl": "requests.Session",
        "urllib3.ProxyManager": "urllib3.PoolManager",
        "urllib3.poolmanager.PoolManager": "urllib3.PoolManager",
        "urllib3.HTTPSConnectionPool": "urllib3.HTTPConnectionPool",
        "aiohttp.client.ClientSession": "aiohttp.ClientSession",
        "zeep.client": "zeep",
        "jwt.jwks_client.PyJWKClient": "jwt.PyJWKClient",
        "slack_sdk.web.WebClient": "slack_sdk.WebClient",
        "slack_sdk.web.client.WebClient": "slack_sdk.WebClient",
    },
)
