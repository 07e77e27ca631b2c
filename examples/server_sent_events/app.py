"""Server-sent events from what makes words as a language model does: one after the other, and not at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from polylambda import asgi

PAUSE = 0.15  # seconds that a word takes to be thought of

PAGE = """<!doctype html>
<meta name="viewport" content="width=device-width">
<title>One word at a time</title>
<form><input name="prompt" value="a cup of tea"> <button>Ask</button></form>
<p id="answer"></p>
<script>
document.forms[0].onsubmit = (submitted) => {
  submitted.preventDefault();
  answer.textContent = "";
  const query = new URLSearchParams(new FormData(submitted.target));
  const events = new EventSource("answer?" + query);
  events.onmessage = (event) => { answer.textContent += JSON.parse(event.data).word + " "; };
  // Without this the browser would ask again when the answer is complete.
  events.addEventListener("done", () => events.close());
};
</script>
"""


async def words(prompt: str) -> AsyncGenerator[str]:
    """Stand for a model: replace it by the stream of yours."""
    for word in f"You asked for {prompt} and here it is, one word after the other.".split():
        await asyncio.sleep(PAUSE)
        yield word


async def answer(request: Request) -> Response:
    prompt = request.query_params.get("prompt", "")
    if not prompt:
        return JSONResponse({"error": "say what you want: ?prompt=..."}, 400)

    async def events() -> AsyncGenerator[str]:
        count = 0
        async for word in words(prompt):
            count += 1
            yield event({"word": word})
        yield event({"words": count}, name="done")

    headers = {"cache-control": "no-store"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


def event(data: object, name: str = "") -> str:
    """An event as https://html.spec.whatwg.org/multipage/server-sent-events.html has it."""
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


async def index(request: Request) -> Response:
    return HTMLResponse(PAGE)


app = Starlette(routes=[Route("/", index), Route("/answer", answer)])

# As the URL in the template is: `InvokeMode: RESPONSE_STREAM`.
handler = asgi.handler(app, streaming=True)
