"""The handler that runs an ASGI application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from polylambda.asgi.exchange import Exchange, StreamedExchange
from polylambda.asgi.lifespan import MODES, OFF, ON, Startup
from polylambda.errors import ConfigurationError
from polylambda.settings import Settings, environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Literal

    from polylambda.asgi.protocol import Application
    from polylambda.context import LambdaContext
    from polylambda.response import ResponseStream

    LifespanMode = Literal["auto", "on", "off"]

_INVOKE_MODES = {"buffered": False, "response_stream": True}


class AsgiHandler:
    """A handler, as `polylambda.asgi.handler` makes it.

    One application serves all invocations of a process, as many at a time as there are slots, and is started and ended
    once.

    Attributes:
        app: the application.
        streaming: responses go out piece by piece to those who can take it.
    """

    # Requests share the application, as they do under every ASGI server.
    __polylambda_concurrency_safe__ = True

    def __init__(
        self,
        app: Application,
        *,
        streaming: bool | None = None,
        lifespan: LifespanMode = "auto",
        root_path: str = "",
        text_types: Iterable[str] = (),
    ) -> None:
        """See `handler`."""
        if not callable(app):
            raise ConfigurationError(f"an ASGI application is callable, which {type(app).__name__} is not: {app!r:.80}")
        if lifespan not in MODES:
            raise ConfigurationError(f"lifespan is {lifespan!r}: it must be one of {', '.join(MODES)}")
        try:
            from polylambda.asgi.events import TEXT_TYPES, Events
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "mangum":
                raise
            raise ConfigurationError("polylambda.asgi needs mangum: pip install 'polylambda[asgi]'") from None
        self.app = app
        self.streaming = _streaming_of_environment() if streaming is None else streaming
        self._required = lifespan == ON
        self.__polylambda_lifespan__ = None if lifespan == OFF else self._live
        root = "/" + root_path.strip("/")
        self._events = Events(root_path=root if root != "/" else "", text_types=(*TEXT_TYPES, *text_types))
        self._state: dict[str, Any] | None = None  # as its lifespan left it

    async def handle(self, event: Any, response: ResponseStream, context: LambdaContext) -> None:
        """Run the application for one event.

        Raises:
            UnmarshalError: the event is no HTTP request, or its body is not what it is said to be.
            RuntimeError: the application ended without a complete answer.
            Exception: the application's own.
        """
        request = self._events.request(event, context)
        request.scope["state"] = _mapping(context.state) if self._state is None else self._state.copy()
        kind = StreamedExchange if self.streaming and request.can_stream else Exchange
        exchange = kind(request, response, context)
        try:
            await self.app(request.scope, exchange.receive, exchange.send)
        except BaseException as error:
            if exchange.lost is not None and isinstance(error, Exception):  # whatever the application made of it
                raise exchange.lost from None
            exchange.depart()  # an error page, whose framework raises the error as well
            raise
        finally:
            exchange.close()
        if exchange.lost is not None:
            raise exchange.lost
        if not exchange.is_complete:
            raise RuntimeError("the application ended without a complete answer")

    @asynccontextmanager
    async def _live(self, state: Any) -> AsyncGenerator[Any]:
        """Start and end the application; requests see what the runtime's lifespan yielded beside what its own adds."""
        shared = _mapping(state)
        async with Startup(self.app, shared, required=self._required):
            self._state = shared
            yield shared if state is None else state


def handler(
    app: Application,
    *,
    streaming: bool | None = None,
    lifespan: LifespanMode = "auto",
    root_path: str = "",
    text_types: Iterable[str] = (),
) -> AsgiHandler:
    """Make a handler of an ASGI application, for API Gateway, function URLs and Application Load Balancers.

    Its lifespan is run in each process, inside the runtime's if that has one. Its scopes have AWS's event and the
    invocation's context as `aws.event` and `aws.context`, and in `state` what the lifespans left there.

    Args:
        app: any application for ASGI 3: of FastAPI, Starlette, Litestar, Quart, Django, ...
        streaming: send responses piece by piece to function URLs and REST APIs, which must be set up for it (`InvokeMode:
            RESPONSE_STREAM`, `ResponseTransferMode: STREAM`): the event does not show whether they are, and each mode is
            gibberish to the other. None: as `POLYLAMBDA_INVOKE_MODE` says, `buffered` (the default, as it is AWS's) or
            `response_stream`. Load balancers and HTTP APIs always get whole responses.
        lifespan: `auto`: an application whose lifespan raises or returns before it has said that it started is taken to
            have none; `on`: it cannot start; `off`: its lifespan is not run. One that says that its startup failed never
            starts.
        root_path: where the application is mounted, as its callers see it, such as the stage of an API, `/prod`, or the
            base path of a custom domain, whether or not the gateway leaves it in the path.
        text_types: parts of further content types whose buffered bodies are sent as text and not as base64.

    Raises:
        ConfigurationError: an argument, or `POLYLAMBDA_INVOKE_MODE`, is wrong, or mangum is not installed.

    Example:
        >>> from polylambda import LambdaRuntime, asgi
        >>> async def app(scope, receive, send):
        ...     await send(
        ...         {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        ...     )
        ...     await send({"type": "http.response.body", "body": b"hello"})
        >>> handler = asgi.handler(app, lifespan="off")
        >>> LambdaRuntime(handler).run()  # doctest: +SKIP
    """
    return AsgiHandler(app, streaming=streaming, lifespan=lifespan, root_path=root_path, text_types=text_types)


def _mapping(state: Any) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", state)) if isinstance(state, Mapping) else {}


def _streaming_of_environment() -> bool:
    mode = Settings(environment()).invoke_mode
    if mode is None:
        return False
    streaming = _INVOKE_MODES.get(mode.strip().lower())
    if streaming is None:
        raise ConfigurationError(f"POLYLAMBDA_INVOKE_MODE is {mode!r}: it must be buffered or response_stream")
    return streaming
