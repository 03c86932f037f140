"""The server's HTTP face: who may ask, what is asked, and how each outcome is answered."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ._body import DRAINED, Disconnected, Refused
from ._limits import Limits, Rate
from ._output import Output
from ._streams import Streams
from ._uploads import FilenameGenerator, Uploads
from ._wire import COMPLETE, OPEN, SERVER, SERVER_VERSION, STATE, BadRequest, ChunkHead, receipt

_log: Final = logging.getLogger("indexedcp")
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Gate:
    """Lets in who has the key and does not ask too often.

    Args:
        api_key: the key.
        limits: how often is too often.
    """

    def __init__(self, api_key: str, limits: Limits) -> None:
        self._key = hashlib.sha256(api_key.encode()).digest()
        self._requests = Rate(limits.requests_per_second, limits.burst)
        self._wrong_keys = Rate(limits.wrong_keys_per_minute / 60, limits.wrong_keys_per_minute)

    def check(self, request: Request) -> None:
        """Return if a request may go on.

        Raises:
            Refused: it may not.
        """
        address = request.client.host if request.client else ""
        wait = max(self._requests.wait(address), self._wrong_keys.wait(address))
        if wait:
            raise Refused(429, "Too many requests", retry_after=wait)
        self._requests.take(address)
        if not self._has_key(request.headers.get("authorization", "")):
            self._wrong_keys.take(address)
            raise Refused(401, "Invalid or missing API key")

    def _has_key(self, authorization: str) -> bool:
        """Compare hashes, in a time that does not depend on what is equal."""
        scheme, _, key = authorization.partition(" ")
        given = hashlib.sha256(key.encode("latin-1")).digest()
        return hmac.compare_digest(given, self._key) and scheme == "Bearer"


class Endpoints:
    """What the server answers to.

    Args:
        output: where files go.
        gate: who may ask.
        limits: what is put up with.
        generator: chooses names.
    """

    def __init__(self, output: Output, gate: Gate, limits: Limits, generator: FilenameGenerator | None) -> None:
        self._gate = gate
        self._uploads = Uploads(output, limits, generator)
        self._streams = Streams(output, limits, generator)

    async def upload(self, request: Request) -> Response:
        """Store a chunk."""
        return await self._answer(request, self._upload)

    async def status(self, request: Request) -> Response:
        """Tell what has arrived of an upload."""
        return await self._answer(request, self._status)

    async def _upload(self, request: Request) -> Response:
        head = ChunkHead.parse(request.headers)
        receiver = self._streams if head.whole is None else self._uploads
        outcome = await receiver.receive(head, request)
        headers = {SERVER: SERVER_VERSION, STATE: COMPLETE if outcome.complete else OPEN}
        return JSONResponse(receipt(outcome.actual_name, head), headers=headers)

    async def _status(self, request: Request) -> Response:
        status = await self._uploads.status(request.query_params.get("id", ""))
        if status is None:
            raise Refused(404, "Unknown upload")
        return JSONResponse(status.document(), headers={SERVER: SERVER_VERSION})

    async def _answer(self, request: Request, act: Callable[[Request], Awaitable[Response]]) -> Response:
        """Act for who may ask, and answer what goes wrong with an error."""
        try:
            self._gate.check(request)
            return await act(request)
        except Refused as refused:
            return _error(request, refused)
        except BadRequest as bad:
            return _error(request, Refused(400, "Invalid request", str(bad)))
        except Disconnected:
            return Response(status_code=400)  # nobody is there to read it
        except OSError as exc:
            _log.error("a chunk was not stored: %s", exc.strerror or exc)
            status = 507 if exc.errno in _NO_SPACE else 500
            return _error(request, Refused(status, "Write error", exc.strerror or str(exc)))

    def close(self) -> None:
        """Put everything away."""
        self._uploads.close()


def make_app(endpoints: Endpoints) -> Starlette:
    """Return the application of the endpoints; all else is not found, as in every IndexedCP server."""
    return Starlette(
        routes=[
            Route("/upload", endpoints.upload, methods=["POST"]),
            Route("/upload/status", endpoints.status, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )


async def _not_found(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return PlainTextResponse("Not Found", status_code=404)


def _error(request: Request, refused: Refused) -> Response:
    headers = {SERVER: SERVER_VERSION}
    if refused.retry_after:
        headers["Retry-After"] = str(math.ceil(refused.retry_after))
    if refused.hang_up or int(request.headers.get("content-length", "0")) > DRAINED:
        headers["Connection"] = "close"
    return JSONResponse(refused.document, status_code=refused.status, headers=headers)
