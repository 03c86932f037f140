"""Reading a request's body: cut off where it is too long, too slow, or no longer wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from starlette.requests import Request

from ._http import TAKE_OVER, Rest
from ._limits import Limits

PIECE: Final = 64 * 1024
"""Most bytes that are handed on at once: what is not is lost with the server, and sent again (docs/RESULTS.md)."""
DRAINED: Final = 8 * 1024 * 1024
"""Bytes of a refused body that are read for the sake of a client which looks at the answer only after it has sent."""
_FAST: Final = 8_000_000
"""Bytes a second of a body for which a thread waits; slower ones are waited for in the event loop."""
_LONGEST_WAIT: Final = 0.02

Sink: TypeAlias = Callable[[bytes | memoryview], None]
"""Takes the next bytes of a body, which are its own until it returns."""


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

    async def pour(self, sink: Sink) -> None:
        """Hand the body on as it arrives, in threads.

        Of a body whose length was announced, all that has arrived is handed on before anything is raised.

        Raises:
            Disconnected: it is not whole.
            Refused: it is too long, too short or too slow, or superseded.
            OSError: the sink did not take it.
        """
        extension = (self._request.scope.get("extensions") or {}).get(TAKE_OVER)
        rest: Rest | None = extension["call"]() if extension is not None else None
        if rest is None:
            await self._pour_messages(sink)
        else:
            await self._pour_rest(rest, sink)
        if self._exactly is not None and self._read != self._exactly:
            raise Refused(400, "Wrong length", f"the body has {self._read} bytes instead of {self._exactly}")

    async def _pour_messages(self, sink: Sink) -> None:
        started, more = time.monotonic(), True
        while more:
            receiving = asyncio.ensure_future(self._request.receive())
            try:
                await self._wait(receiving, started)
            finally:
                receiving.cancel()
            message = receiving.result()
            if message["type"] == "http.disconnect":
                raise Disconnected
            piece, more = message.get("body", b""), message.get("more_body", False)
            self._read += len(piece)
            if self._read > self._most or (self._exactly is not None and self._read > self._exactly):
                raise Refused(413, "Chunk too large", "the body is longer than its chunk", hang_up=True)
            if piece:
                await asyncio.to_thread(sink, piece)

    async def _pour_rest(self, rest: Rest, sink: Sink) -> None:
        started, pump = time.monotonic(), _Pump(rest, sink)
        whole = len(rest.arrived) + rest.left
        try:
            while not pump.ended:
                await self._run(pump)
                self._read = whole - rest.left
                if pump.failure is not None and (pump.ended or rest.left > DRAINED):
                    raise pump.failure
                if not pump.ended:
                    await self._await_more(rest, started)
        finally:
            os.close(rest.descriptor)
        if rest.left:
            raise Disconnected

    async def _run(self, pump: _Pump) -> None:
        """Let a pump run in a thread, which is never left behind."""
        running = asyncio.get_running_loop().run_in_executor(None, pump.run)
        try:
            await asyncio.wait({running, self._unwanted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pump.wanted = False
            while not running.done():
                with contextlib.suppress(asyncio.CancelledError):  # a thread that writes comes first
                    await asyncio.wait({running})
        pump.wanted = True
        running.result()

    async def _await_more(self, rest: Rest, started: float) -> None:
        loop, more = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(rest.descriptor, more.set)
        waiting = asyncio.ensure_future(more.wait())
        try:
            await self._wait(waiting, started)
        finally:
            waiting.cancel()
            loop.remove_reader(rest.descriptor)

    async def _wait(self, more: asyncio.Future[Any], started: float) -> None:
        """Wait for bytes, unless they are too slow or no longer wanted."""
        awaited: set[asyncio.Future[Any]] = {more, self._unwanted}
        await asyncio.wait(awaited, timeout=self._patience(started), return_when=asyncio.FIRST_COMPLETED)
        if not more.done():
            if self._unwanted.done():
                raise Refused(409, "Superseded", "the same chunk is being sent again", hang_up=True)
            raise Refused(408, "Too slow", "the body did not arrive in time", hang_up=True)

    def _patience(self, started: float) -> float:
        """Return how long the next bytes may take."""
        allowed = self._limits.idle_timeout + self._read / self._limits.min_bytes_per_second
        return max(0.0, min(self._limits.idle_timeout, started + allowed - time.monotonic()))


class _Pump:
    """Moves the rest of a body from its socket to a sink, in whatever thread it is run.

    Args:
        rest: what is to come.
        sink: where it goes.

    Attributes:
        wanted: set to False where it is to come to its end, with what it has in hand.
        ended: nothing more comes.
        failure: why the sink took no more; what follows is read and dropped, so that the client sees the answer.
    """

    def __init__(self, rest: Rest, sink: Sink) -> None:
        self._rest, self._sink = rest, sink
        self._buffer = memoryview(bytearray(min(PIECE, rest.left)))
        self._begun = False
        self.wanted = True
        self.ended = False
        self.failure: OSError | None = None

    def run(self) -> None:
        """Move what comes fast, until it pauses or ends."""
        started, moved = time.monotonic(), 0
        if not self._begun:
            self._begun = True
            self._hand_on(self._rest.arrived)
        while self.wanted and not self.ended:
            patience = min(_LONGEST_WAIT, started + moved / _FAST - time.monotonic())
            count = self._read(patience)
            if count is None:
                return
            self._rest.left -= count
            self.ended = not count or not self._rest.left
            moved += count
            self._hand_on(self._buffer[:count])

    def _read(self, patience: float) -> int | None:
        """Read into the buffer; return how much, 0 where the client has gone away, None where nothing is there."""
        target = [self._buffer[: self._rest.left]]
        try:
            with contextlib.suppress(BlockingIOError):
                return os.readv(self._rest.descriptor, target)
            return os.readv(self._rest.descriptor, target) if self._comes(patience) else None
        except BlockingIOError:
            return None
        except OSError:
            return 0

    def _comes(self, patience: float) -> bool:
        """Wait for bytes; report whether there are any."""
        if patience <= 0:
            return False
        poll = select.poll()
        poll.register(self._rest.descriptor, select.POLLIN)
        return bool(poll.poll(patience * 1000))

    def _hand_on(self, data: bytes | memoryview) -> None:
        if data and self.failure is None:
            try:
                self._sink(data)
            except OSError as exc:
                self.failure = exc
