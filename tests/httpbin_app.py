"""httpbin as the servers load it: the WSGI application for gunicorn, and an ASGI one for hypercorn."""

import logging

from a2wsgi import WSGIMiddleware

logging.getLogger("httpbin").setLevel(
    logging.ERROR
)  # before the import: it warns of a documentation page that nobody asks for

from httpbin import app as wsgi

# Hypercorn's own WSGI adapter sends no response at all where the body is empty (HEAD, 204).
asgi = WSGIMiddleware(wsgi, workers=32)
