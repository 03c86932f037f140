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
asgi = WSGIMiddleware(whole_input, workers=32)
