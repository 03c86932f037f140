"""httpbin as the servers load it: the WSGI application for gunicorn, and an ASGI one for hypercorn."""

import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from a2wsgi import WSGIMiddleware

# Imported once it is quiet: it would warn at each start of a documentation page that nobody asks for.
logging.getLogger("httpbin").setLevel(logging.ERROR)
wsgi = import_module("httpbin").app


def whole_input(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """httpbin, told that its input ends with the body: else a body without a length counts as none."""
    environ["wsgi.input_terminated"] = True
    return wsgi(environ, start_response)


# Hypercorn's own WSGI adapter sends no response at all where the body is empty (HEAD, 204).
httpbin = WSGIMiddleware(whole_input, workers=32)


async def events(scope: Any, send: Callable[..., Any]) -> None:
    """A stream of three events, one for each connection."""
    last = int(dict(scope["headers"]).get(b"last-event-id", b"0"))
    content = b"" if last == 3 else f"id: {last + 1}\nevent: count\ndata: {last + 1} of 3\n\n".encode()
    status = 200 if content else 204
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": content})


async def asgi(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """httpbin, a stream of events, and a WebSocket at every path, which sends back what it is sent."""
    if scope["type"] == "http" and scope["path"] == "/events":
        await events(scope, send)
        return
    if scope["type"] != "websocket":
        await httpbin(scope, receive, send)
        return
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[-1] if offered else None})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
