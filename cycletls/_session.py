"""Sessions: one that waits on the thread that calls, one that waits in an event loop."""

from __future__ import annotations

from ._client import Client
from ._exceptions import LoopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine, Generator, Mapping
    from types import TracebackType
    from typing import Any

    from ._background import Background
    from ._download import Progress
    from ._engine import Engine
    from ._events import AsyncEventStream, EventStream
    from ._exchange import Exchange
    from ._response import Response
    from ._streamed import AsyncStreamedResponse, StreamedResponse
    from ._transfer import Carrier, Reply
    from ._types import ClientOptions, EventOptions, RequestOptions, Unpack, WebSocketOptions
    from ._websocket import AsyncWebSocket, Opening, WebSocket


class CycleTLS(Client["Response"]):
    """A session: connections, TLS tickets, cookies and options that its requests share.

    It may be used by many threads at once. Leaving its ``with`` block closes it.

    Args:
        options: see :class:`cycletls._options.Options`.
    """

    __slots__ = ()

    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> StreamedResponse:
        """Send a request and return the response as soon as its head is there; its body is read as it comes.

        Args:
            method: any token.
            url: absolute, or relative to ``base_url``.
            options: see :class:`cycletls._options.Options`.

        Returns:
            The response, which leaving its ``with`` block closes.

        Raises:
            RequestException: the request cannot be made, or failed.
        """
        response: Any = self._send(method, url, {**options, "stream": True})
        return response  # type: ignore[no-any-return]  # with stream=True it is one

    def download(
        self,
        url: str,
        path: str | os.PathLike[str],
        *,
        progress: Progress = False,
        resume: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Download to a file, which appears when it is complete.

        Args:
            url: absolute, or relative to ``base_url``.
            path: of the file; one that exists is replaced.
            progress: True shows a bar where standard error is a terminal; a callable gets the bytes that are there and
                how many there will be (None: unknown).
            resume: go on with what an earlier download has left, if the server has that very file still; else begin
                anew. What is left after an error stays for the next time, as ``<path>.part``.
            options: see :class:`cycletls._options.Options`.

        Returns:
            The response, whose body is in the file.

        Raises:
            HTTPError: the response was one of an error.
            RequestException: the request cannot be made, or failed.
        """
        from ._download import Download

        with Download(str(url), path, progress, resume) as download:
            while True:
                with self.stream("GET", url, **download.options(options)) as response:
                    if not download.begin(response):
                        continue
                    for piece in response.iter_bytes():
                        download.write(piece)
                download.finish()
                return response

    def websocket(self, url: str, **options: Unpack[WebSocketOptions]) -> WebSocket:
        """Open a WebSocket.

        Args:
            url: ``ws:`` or ``wss:`` (or ``http:``, ``https:``), or relative to ``base_url``.
            options: those of a request, and those of :class:`cycletls._live.WebSocketOptions`.

        Returns:
            The WebSocket, which leaving its ``with`` block closes.

        Raises:
            WebSocketHandshakeError: the server did not open it.
        """
        from ._websocket import WebSocket, opened, refusal

        response: Any = self._answer(self._socket(url, options))
        if not opened(response):
            response.read()
            raise refusal(response)
        return WebSocket(response)

    def events(self, url: str, **options: Unpack[EventOptions]) -> EventStream:
        """Iterate over a stream of events (server-sent events), connecting again where its connection ends.

        Args:
            url: absolute, or relative to ``base_url``.
            options: those of a request, and those of :class:`cycletls._live.EventOptions`; the total of
                ``timeout`` is for connecting and for the head of the response, each time anew.

        Returns:
            The events, which leaving its ``with`` block ends.

        Raises:
            EventStreamError: when iterating, if the response is no stream of events.
        """
        from ._events import EventStream

        response: Any = self._answer(self._source(url, options))
        return EventStream(response)

    def close(self) -> None:
        """Close the connections, and end the exchanges that go on, wherever they are: they raise SessionClosed.

        Closing twice is harmless; using the session afterwards raises SessionClosed.
        Its cookies can still be read.
        """
        self._close()

    def __enter__(self) -> CycleTLS:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, url: str, given: Mapping[str, Any]) -> Response:
        return self._answer(self._made(method, url, given))

    def _answer(self, exchange: Exchange) -> Response:
        if exchange.manual:
            return _drive(exchange)
        return exchange.finish(exchange.engine.send(exchange))

    def _streamed(self, reply: Reply, engine: Engine, body: bytes | None) -> Response:
        from ._streamed import StreamedResponse

        return StreamedResponse(reply, engine, body)


class AsyncCycleTLS(Client["Coroutine[Any, Any, Response]"]):
    """A session for asyncio: the same methods as coroutines, in the event loop that it is first used in.

    Any number of tasks may use it. Cancelling one ends its exchange on the wire.
    Leaving its ``async with`` block closes it.

    Args:
        options: see :class:`cycletls._options.Options`.
    """

    __slots__ = ("_loop",)

    _background = True

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        super().__init__(**options)
        self._loop: Background | None = None

    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Streaming:
        """Send a request; ``async with`` gives the response as soon as its head is there.

        Args:
            method: any token.
            url: absolute, or relative to ``base_url``.
            options: see :class:`cycletls._options.Options`.

        Returns:
            What ``async with``, or ``await``, makes the response of.
        """
        return Streaming(self._send(method, url, {**options, "stream": True}))

    async def download(
        self,
        url: str,
        path: str | os.PathLike[str],
        *,
        progress: Progress = False,
        resume: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Download to a file, see :meth:`CycleTLS.download`; the file is written on the thread of the loop."""
        from ._download import Download

        with Download(str(url), path, progress, resume) as download:
            while True:
                async with self.stream("GET", url, **download.options(options)) as response:
                    if not download.begin(response):
                        continue
                    async for piece in response.iter_bytes():
                        download.write(piece)
                download.finish()
                return response

    def websocket(self, url: str, **options: Unpack[WebSocketOptions]) -> Opening:
        """Open a WebSocket, see :meth:`CycleTLS.websocket`; ``async with``, or ``await``, gives it."""
        from ._websocket import Opening

        return Opening(self._opened(url, options))

    async def _opened(self, url: str, given: Mapping[str, Any]) -> AsyncWebSocket:
        from ._websocket import AsyncWebSocket, opened, refusal

        background = self._here()
        response: Any = await self._answer(background, self._socket(url, given))
        if not opened(response):
            await response.read()
            raise refusal(response)
        return AsyncWebSocket(response, background)

    def events(self, url: str, **options: Unpack[EventOptions]) -> AsyncEventStream:
        """Iterate over a stream of events with ``async for``, see :meth:`CycleTLS.events`."""
        from ._events import AsyncEventStream

        background = self._here()
        return AsyncEventStream(self._answer(background, self._source(url, options)), background)

    async def aclose(self) -> None:
        """Do what :meth:`CycleTLS.close` does."""
        self._close()
        background, self._loop = self._loop, None
        if background is not None:
            background.release()

    close = aclose

    async def __aenter__(self) -> AsyncCycleTLS:
        self._here()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, method: str, url: str, given: Mapping[str, Any]) -> Response:
        background = self._here()
        return await self._answer(background, self._made(method, url, given))

    async def _answer(self, background: Background, exchange: Exchange) -> Response:
        if exchange.engine.carrier is not background.carrier:  # that one has died just now
            background = self._here(exchange.engine.carrier)
        if exchange.manual:
            return await _drive_in(background, exchange)
        engine = exchange.engine
        if exchange.simple:
            return exchange.finish(await background.exchange(engine.handle, exchange.envelope, exchange.content))
        return exchange.finish(await engine.send_in(background, exchange))

    def _here(self, carrier: Carrier | None = None) -> Background:
        """Return what works for the running loop, which must be the one that the session was first used in.

        Args:
            carrier: the way to the core; None is the one that is used, unless it has died.
        """
        background = self._loop
        usable = background is not None and (
            background.carrier.alive if carrier is None else background.carrier is carrier
        )
        if background is not None and usable and background.here:
            return background
        from ._background import Background, running_loop

        loop = running_loop()
        if usable:
            raise LoopError("this client belongs to another event loop, the one that it was first used in")
        self._loop = Background.of(loop, carrier or self._engines.carrier)
        if background is not None:
            background.release()
        return self._loop

    def _streamed(self, reply: Reply, engine: Engine, body: bytes | None) -> Response:
        from ._streamed import AsyncStreamedResponse

        return AsyncStreamedResponse(reply, self._here(engine.carrier).perform, engine, body)


class Streaming:
    """A streamed response that is on its way: ``async with`` or ``await`` gives it."""

    __slots__ = ("_response", "_sent")

    def __init__(self, sent: Coroutine[Any, Any, Response]) -> None:
        self._sent = sent
        self._response: Any = None

    def __await__(self) -> Generator[Any, Any, AsyncStreamedResponse]:
        response: Any = yield from self._sent.__await__()
        return response  # type: ignore[no-any-return]  # with stream=True it is one

    async def __aenter__(self) -> AsyncStreamedResponse:
        self._response = await self
        return self._response  # type: ignore[no-any-return]  # as above

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._response.close()


def _drive(exchange: Exchange) -> Response:
    """Send what an exchange wants sent, hop by hop."""
    hops = exchange.hops()
    next(hops)
    while True:
        reply = exchange.engine.send(exchange)
        try:
            hops.send(reply)
        except StopIteration as done:
            response: Response = done.value
            return response


async def _drive_in(background: Background, exchange: Exchange) -> Response:
    """Do the same in an event loop."""
    hops = exchange.hops()
    next(hops)
    while True:
        reply = await exchange.engine.send_in(background, exchange)
        try:
            hops.send(reply)
        except StopIteration as done:
            response: Response = done.value
            return response


Session = CycleTLS
"""The name that requests' users type."""
AsyncSession = AsyncCycleTLS
"""Its twin."""
