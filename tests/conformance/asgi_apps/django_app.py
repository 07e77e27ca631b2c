"""Django has no lifespan, and no background tasks of its own: a view may start a task, and keep it."""

import asyncio
import json
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_http_methods

from tests.conformance.asgi_apps import BLOB, digest, pieces, stage

tasks: set[Any] = set()


async def state(_: HttpRequest) -> HttpResponse:
    return JsonResponse({"pool": "open"})


@require_http_methods(["GET", "POST"])
async def echo(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return JsonResponse({**json.loads(request.body), "seen": True})
    return JsonResponse({"hello": request.GET["name"]})


def item(_: HttpRequest, name: str) -> HttpResponse:  # in a thread
    return JsonResponse({"item": name})


async def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"name": request.POST["name"]})


async def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    return JsonResponse({"name": file.name, "sha256": digest(file.read())})


async def download(_: HttpRequest) -> HttpResponse:
    return HttpResponse(BLOB, content_type="application/octet-stream")


async def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse({"a": request.COOKIES["a"]})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def redirect(_: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/json", preserve_request=True)


async def stream(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces(), content_type="text/plain")


async def events(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stage.events(), content_type="text/event-stream")


async def background(_: HttpRequest) -> HttpResponse:
    tasks.add(asyncio.create_task(stage.work()))
    return HttpResponse("accepted", content_type="text/plain")


async def fail(_: HttpRequest) -> HttpResponse:
    raise KeyError("mine")


urlpatterns = [
    path("state", state),
    path("json", echo),
    path("items/<path:name>", item),
    path("form", form),
    path("upload", upload),
    path("download", download),
    path("cookies", cookies),
    path("redirect", redirect),
    path("stream", stream),
    path("events", events),
    path("background", background),
    path("fail", fail),
]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None)
django.setup()
app = ASGIHandler()
