"""httpbin as the servers load it: the WSGI application for gunicorn, and an ASGI one for hypercorn."""

import logging
from importlib import import_module

from a2wsgi import WSGIMiddleware

# Imported once it is quiet: it would warn at each start of a documentation page that nobody asks for.
logging.getLogger("httpbin").setLevel(logging.ERROR)
wsgi = import_module("httpbin").app

# Hypercorn's own WSGI adapter sends no response at all where the body is empty (HEAD, 204).
asgi = WSGIMiddleware(wsgi, workers=32)
