"""Reading a request's body: cut off where it is too long, too slow, or no longer wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request

from ._http import LAST_BYTES
from ._limits import Limits

PIECE: Final = 64 * 1024
"""Bytes that are handed on at once: what is not is lost with the server, and sent again (docs/RESULTS.md)."""


class Refused(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of the answer.
        document: its body.
        retry_after: seconds, where trying again then makes sense.
        hang_up: whether the connection ends with the answer, because a body may be on its way.
    """

    def __init__(
        self, status: int, error: str, message: str = "", *, retry_after: float = 0.0, hang_up: bool = False
    ) -> None:
        super().__init__(message or error)
        self.status = status
        self.document = {"error": error, **({"message": message} if message else {})}
        self.retry_after = retry_after
        self.hang_up = hang_up


class Disconnected(Exception):
    """The client went away before its body was whole."""


class Body:
    """The body of a request.

    Args:
        request: whose.
        most: bytes that it may have.
        exactly: bytes that it must have, where that is known.
        limits: how slow it may be.

    Raises:
        Refused: its announced length is wrong.
    """

    def __init__(self, request: Request, most: int, exactly: int | None, limits: Limits) -> None:
        self._request, self._most, self._exactly, self._limits = request, most, exactly, limits
        self._unwanted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._read = 0
        self.ended = asyncio.Event()
        """Set by who reads it, when what was read has been dealt with."""
        announced = request.headers.get("content-length")
        if announced is not None and int(announced) > most:
            raise Refused(413, "Chunk too large", f"a chunk has at most {most} bytes here", hang_up=True)
        if announced is not None and exactly is not None and int(announced) != exactly:
            raise Refused(400, "Wrong length", f"this chunk goes on with {exactly} bytes", hang_up=True)

    def supersede(self) -> None:
        """Stop reading: somebody else sends the same chunk."""
        if not self._unwanted.done():
            self._unwanted.set_result(None)

    async def pieces(self) -> AsyncIterator[bytearray]:
        """Yield the body in pieces of some size; what has arrived is yielded before anything is raised.

        Raises:
            Disconnected: it is not whole.
            Refused: it is too long, too short or too slow, or superseded.
        """
        pending, more = bytearray(), True
        failure: Refused | Disconnected | None = None
        started = asyncio.get_running_loop().time()
        while more and failure is None:
            try:
                piece, more = await self._next(started)
            except Disconnected as exc:
                pending += self._last_bytes()
                failure = exc
            except Refused as exc:
                failure = exc
            else:
                pending += piece
                if len(pending) >= PIECE:
                    yield pending
                    pending = bytearray()
        if pending:
            yield pending
        if failure is not None:
            raise failure
        if self._exactly is not None and self._read != self._exactly:
            raise Refused(400, "Wrong length", f"the body has {self._read} bytes instead of {self._exactly}")

    async def _next(self, started: float) -> tuple[bytes, bool]:
        receiving = asyncio.ensure_future(self._request.receive())
        try:
            awaited: set[asyncio.Future[Any]] = {receiving, self._unwanted}
            await asyncio.wait(awaited, timeout=self._patience(started), return_when=asyncio.FIRST_COMPLETED)
        finally:
            done = receiving.done()
            if not done:
                receiving.cancel()
        if not done:
            if self._unwanted.done():
                raise Refused(409, "Superseded", "the same chunk is being sent again", hang_up=True)
            raise Refused(408, "Too slow", "the body did not arrive in time", hang_up=True)
        message = receiving.result()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece: bytes = message.get("body", b"")
        self._read += len(piece)
        if self._read > self._most or (self._exactly is not None and self._read > self._exactly):
            raise Refused(413, "Chunk too large", "the body is longer than its chunk", hang_up=True)
        return piece, message.get("more_body", False)

    def _last_bytes(self) -> bytes:
        """Return what had arrived, unread, when the client went away."""
        extensions = self._request.scope.get("extensions") or {}
        left = extensions.get(LAST_BYTES, {}).get("body", b"")
        room = (self._most if self._exactly is None else self._exactly) - self._read
        return bytes(left[: max(0, room)])

    def _patience(self, started: float) -> float:
        """Return how long the next bytes may take."""
        allowed = self._limits.idle_timeout + self._read / self._limits.min_bytes_per_second
        return max(0.0, min(self._limits.idle_timeout, started + allowed - asyncio.get_running_loop().time()))
