"""Responses whose bodies are read as they come.

Bytes are taken from the connection when they are asked for, so that a slow reader
holds the server back and nothing piles up in between.
"""

from __future__ import annotations

import weakref

from ._core import failure, unpack
from ._exceptions import StreamClosed, StreamConsumed
from ._pieces import Pieces
from ._response import Response
from ._transfer import READ, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any, Final, TypeAlias

    from ._engine import Engine
    from ._live import Watched
    from ._transfer import Outcome, Reply

    AsyncPerform: TypeAlias = Callable[[Step], Awaitable[Outcome]]

_READ: Final = 256 * 1024
"""Bytes that one crossing brings at most."""


class _Body:
    """The body of an exchange that goes on, read by one reader.

    Args:
        handle: the exchange's.
        engine: the session of the core that it belongs to, which is kept as long.
        response: whose it is.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_end",
        "_engine",
        "_handle",
        "_reading",
        "_response",
        "carrier",
        "over",
        "started",
        "watched",
    )

    def __init__(self, handle: int, engine: Engine, response: Response) -> None:
        self._handle = handle
        self.carrier = engine.carrier
        """The way to it."""
        self._engine: Engine | None = engine
        self._response = weakref.ref(response)
        self._buffer: bytearray | None = None
        self._reading = False
        self.started = False
        self.over = False
        """Whether all of it has been read."""
        self.watched: Watched | None = None
        """What an event loop watches of it, which ends with it."""
        self._end = weakref.finalize(self, engine.carrier.close, handle)

    @property
    def handle(self) -> int:
        """What the library knows the exchange by."""
        return self._handle

    @property
    def closed(self) -> bool:
        """Whether the exchange is over."""
        return self._engine is None

    def begin(self, size: int) -> Step:
        """Return the step that reads some more; :meth:`taken` says what it has read."""
        if self._reading:
            raise StreamConsumed("this response is being read elsewhere, and a body has one reader")
        if self.closed:
            raise StreamClosed("the response was closed before all of its body was read")
        if self._buffer is None:
            self._buffer = bytearray(_READ)
        self._reading = self.started = True
        return Step(READ, self._handle, buffer=memoryview(self._buffer)[:size])

    def taken(self, outcome: Outcome) -> bytes:
        """Return what a step has read."""
        self._reading = False
        if not outcome.status:
            self.close()
            response = self._response()
            raise failure(unpack(outcome.head), None if response is None else response.request)
        assert self._buffer is not None
        content = bytes(memoryview(self._buffer)[: outcome.filled])
        if not outcome.handle:
            self.over = True
            self.close()
        return content

    def undecode(self) -> None:
        """Leave the content codings on."""
        if self.started:
            raise StreamConsumed("the body has been read without its content codings: iter_raw() comes first")
        if self._engine is not None:
            self._engine.ask({"type": "undecode"}, self._handle)

    def close(self) -> None:
        """End the exchange wherever it is."""
        self._engine = None
        self._end()
        if self.watched is not None:
            self.watched.end()


class _Streamed(Response):
    """What both colours have in common."""

    __slots__ = ("_content", "_source")

    def __init__(self, reply: Reply, engine: Engine, body: bytes | None) -> None:
        super().__init__(reply.status, reply.head, b"", body=body, engine=engine.reference)
        self._content: bytes | None = None
        self._source = _Body(reply.handle, engine, self)

    @property
    def content(self) -> bytes:
        """The whole body, once it has been read."""
        if self._content is None:
            raise StreamConsumed("the body has not been read yet, or not as a whole: await response.read() does that")
        return self._content

    @content.setter
    def content(self, content: bytes) -> None:
        """There is none yet."""

    @property
    def is_closed(self) -> bool:
        """Whether the exchange is over, and its connection free or closed."""
        return self._source.closed

    def iter_raw(self, chunk_size: int | None = None) -> Pieces:
        """Iterate over the body as it is on the wire, content codings and all, in pieces of that size (None: any)."""
        self._source.undecode()
        return self.iter_bytes(chunk_size)

    def close(self) -> None:
        """End the exchange; where the body was not read to its end, the connection (HTTP/2: the stream) ends, too."""
        self._source.close()

    def _cut(self, *cutters: Any) -> Pieces:
        if self._content is not None:
            return super()._cut(*cutters)
        if self._source.started:
            raise StreamConsumed("the body has been read already, at least in part")
        return Pieces(self._some, cutters)

    def _some(self) -> Any:
        """Bring some more of the body."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        if self._content is None:
            raise StreamConsumed("a streamed response can be pickled once its body has been read")
        return super().__getstate__()


class StreamedResponse(_Streamed):
    """A response whose body is read as it comes.

    Leaving its ``with`` block closes it.
    """

    __slots__ = ("_perform",)

    def __init__(self, reply: Reply, engine: Engine, body: bytes | None) -> None:
        super().__init__(reply, engine, body)
        self._perform = engine.carrier.perform

    @property
    def content(self) -> bytes:
        """The whole body, which is read when it is first asked for."""
        return self.read()

    @content.setter
    def content(self, content: bytes) -> None:
        """There is none yet."""

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes of the body at most, b"" after the last; by default the whole of it."""
        if size >= 0:
            return self._some(size)
        if self._content is None:
            self._content = b"".join(self._cut())
        return self._content

    def _some(self, size: int = _READ) -> bytes:
        if self._source.over or not size:
            return b""
        step = self._source.begin(size)
        return self._source.taken(self._perform(step))

    def __enter__(self) -> StreamedResponse:
        return self


class AsyncStreamedResponse(_Streamed):
    """A response whose body is read as it comes, in an event loop: ``async for … in response.iter_bytes()``.

    Leaving its ``async with`` block closes it.
    """

    __slots__ = ("_perform",)

    def __init__(self, reply: Reply, perform: AsyncPerform, engine: Engine, body: bytes | None) -> None:
        super().__init__(reply, engine, body)
        self._perform = perform

    async def read(self, size: int = -1) -> bytes:
        """Return so many bytes of the body at most, b"" after the last; by default the whole of it."""
        if size >= 0:
            return await self._some(size)
        if self._content is None:
            self._content = b"".join([piece async for piece in self._cut()])
        return self._content

    async def _some(self, size: int = _READ) -> bytes:
        if self._source.over or not size:
            return b""
        step = self._source.begin(size)
        return self._source.taken(await self._perform(step))

    async def __aenter__(self) -> AsyncStreamedResponse:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
