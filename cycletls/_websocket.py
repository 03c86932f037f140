"""WebSockets: what is said on one and what it means, and the two ways to wait for that."""

from __future__ import annotations

from ._core import ask, failure, unpack
from ._envelope import milliseconds
from ._exceptions import ReadTimeout, WebSocketClosed, WebSocketError, WebSocketHandshakeError
from ._live import Kept, Watched
from ._transfer import BINARY, FLUSH, GOODBYE, IS_TEXT, NOT_YET, PENDING, PING, READ, RECEIVE, TEXT, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
    from types import TracebackType
    from typing import Any, Final, TypeAlias

    from ._background import Background
    from ._response import Response
    from ._streamed import AsyncStreamedResponse, StreamedResponse
    from ._transfer import Outcome

    Data: TypeAlias = str | bytes | bytearray | memoryview

_NORMAL: Final = frozenset({1000, 1001, 1005})
"""Codes of a connection that was closed because all had been said."""

_FAILED: Final = 1011
"""What a server is told when the block of a WebSocket ends with an exception."""


def opened(response: Response) -> bool:
    """Report whether a response has opened a WebSocket."""
    return response.status_code == 101 or (response.http_version == "HTTP/2" and response.status_code // 100 == 2)


def refusal(response: Response) -> WebSocketHandshakeError:
    """Return the error of a response that has opened none."""
    said = f"{response.status_code} {response.reason}".strip()
    return WebSocketHandshakeError(f"the server did not open a WebSocket, but answered {said}", response=response)


def _limit(milliseconds: int) -> bytes:
    return milliseconds.to_bytes(8, "little", signed=True)


_FOR_EVER: Final = _limit(0)
_NOT_AT_ALL: Final = _limit(-1)


class _Socket:
    """One open WebSocket, whoever waits for it."""

    __slots__ = ("_carrier", "_ended", "_handle", "_released", "_source", "response")

    def __init__(self, response: StreamedResponse | AsyncStreamedResponse) -> None:
        self.response: Response = response
        """The response that opened it."""
        self._source = response._source
        self._handle, self._carrier = self._source.handle, self._source.carrier
        self._ended: WebSocketClosed | None = None
        self._released = False

    @property
    def subprotocol(self) -> str | None:
        """The one that the server has chosen, None where there is none."""
        return self.response.headers.get("Sec-WebSocket-Protocol")

    @property
    def close_code(self) -> int | None:
        """How it was closed, None while it is open."""
        return None if self._ended is None else self._ended.code

    @property
    def close_reason(self) -> str | None:
        """Why it was closed, None while it is open."""
        return None if self._ended is None else self._ended.reason

    def __repr__(self) -> str:
        state = "open" if self._ended is None else f"closed, {self.close_code}"
        return f"<{type(self).__name__} {self.response.url} ({state})>"

    def _receive(self, seconds: float | None) -> Step:
        self._check()
        return Step(RECEIVE, self._handle, data=_FOR_EVER if seconds is None else _limit(milliseconds(seconds)))

    def _rest(self, outcome: Outcome) -> bytearray | None:
        """Return memory for a message that did not come whole, which :meth:`_read` fills."""
        self._judge(outcome)
        size = len(outcome.content)
        if size == outcome.length:
            return None
        content = bytearray(outcome.length)
        content[:size] = outcome.content
        return content

    def _read(self, outcome: Outcome, content: bytearray) -> Step:
        return Step(READ, self._handle, buffer=memoryview(content)[len(outcome.content) :])

    def _send(self, data: Data) -> Step:
        self._check()
        if isinstance(data, str):
            return Step(TEXT, self._handle, data=data.encode())
        if isinstance(data, (bytes, bytearray, memoryview)):
            return Step(BINARY, self._handle, data=data)
        raise WebSocketError(f"a message is str or bytes, not a {type(data).__name__}", request=self.response.request)

    def _ping(self, data: bytes) -> Step:
        self._check()
        return Step(PING, self._handle, data=data)

    def _goodbye(self, code: int, reason: str) -> Step | None:
        """Return the step that closes it; None where that has been done."""
        if self._released:
            return None
        if not 0 <= code < 1 << 16:
            raise WebSocketError(f"{code} is no code that a WebSocket can be closed with")
        self._released = True
        return Step(GOODBYE, self._handle, data=code.to_bytes(2, "big") + reason.encode())

    def _said_goodbye(self, outcome: Outcome) -> None:
        error = failure(unpack(outcome.head), self.response.request)
        if not outcome.status and not isinstance(error, WebSocketClosed):
            self._released = isinstance(error, WebSocketError) is False
            raise error
        if self._ended is None and isinstance(error, WebSocketClosed):
            self._ended = error
        self.response.close()

    def _check(self) -> None:
        if self._ended is not None:
            raise WebSocketClosed(self._ended.args[0], request=self._ended.request, detail=self._ended.detail)

    def _judge(self, outcome: Outcome) -> None:
        """Raise what a step came to, if that is an error."""
        if outcome.status:
            return
        error = failure(unpack(outcome.head), self.response.request)
        if isinstance(error, WebSocketClosed):
            self._ended = error
        raise error


def _message(outcome: Outcome, content: bytes | bytearray) -> str | bytes:
    return content.decode() if outcome.status == IS_TEXT else bytes(content)


class WebSocket(_Socket):
    """An open WebSocket.

    One thread may receive while another sends. Leaving its ``with`` block closes
    it; iterating gives messages until it is closed.

    Attributes:
        response: the response that opened it.
    """

    __slots__ = ()

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next message: str if it is text, bytes if it is binary.

        Args:
            timeout: seconds to wait for it; None waits for ever.

        Raises:
            WebSocketClosed: it is closed.
            ReadTimeout: nothing came in time; the WebSocket is as good as before.
        """
        outcome = self._carrier.perform(self._receive(timeout))
        content = self._rest(outcome)
        if content is None:
            return _message(outcome, outcome.content)
        self._carrier.perform(self._read(outcome, content))
        return _message(outcome, content)

    def send(self, data: Data) -> None:
        """Send a message: text for str, binary for bytes; it returns when the connection has taken it.

        Raises:
            WebSocketClosed: it is closed.
            WriteTimeout: the server takes no more; what is left of the message goes out with the next one.
        """
        self._judge(self._carrier.perform(self._send(data)))

    def ping(self, data: bytes = b"") -> None:
        """Send a ping of up to 125 bytes."""
        self._judge(self._carrier.perform(self._ping(data)))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and wait for the server's answer, ten seconds at most; doing so twice is harmless.

        Raises:
            WebSocketError: the code or the reason cannot be sent.
        """
        step = self._goodbye(code, reason)
        if step is not None:
            self._said_goodbye(self._carrier.perform(step))

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(1000 if kind is None else _FAILED)

    def __iter__(self) -> Iterator[str | bytes]:
        while True:
            try:
                message = self.recv()
            except WebSocketClosed as closed:
                if closed.code in _NORMAL:
                    return
                raise
            yield message


class AsyncWebSocket(_Socket):
    """An open WebSocket in an event loop.

    One task may receive while others send. Leaving its ``async with`` block closes
    it; iterating gives messages until it is closed. Cancelling a task that
    receives loses no message.

    Attributes:
        response: the response that opened it.
    """

    __slots__ = ("_background", "_kept", "_receiving", "_sending", "_watchable", "_watched")

    def __init__(self, response: AsyncStreamedResponse, background: Background) -> None:
        super().__init__(response)
        self._background = background
        self._kept: Kept | None = None  # a step that somebody gave up waiting for
        self._watched: Watched | None = None
        self._watchable = not self._carrier.remote
        self._receiving = False
        self._sending = 0  # in the background

    async def recv(self, timeout: float | None = None) -> str | bytes:
        """Do what :meth:`WebSocket.recv` does.

        Raises:
            WebSocketError: another task is receiving.
        """
        if self._receiving:
            raise WebSocketError("another task is receiving on this WebSocket", request=self.response.request)
        self._check()
        self._receiving = True
        try:
            outcome = await self._next(timeout)
            content = self._rest(outcome)
            if content is None:
                return _message(outcome, outcome.content)
            await self._background.perform(self._read(outcome, content))
            return _message(outcome, content)
        finally:
            self._receiving = False

    async def _next(self, timeout: float | None) -> Outcome:
        """Return what receiving comes to, be it that somebody else has begun to wait for it."""
        if self._kept is None:
            outcome = None if self._carrier.remote else await self._at_hand(timeout)
            if outcome is not None:
                return outcome
            self._kept = Kept(self._background, Step(RECEIVE, self._handle, data=_FOR_EVER))
        came = await self._within(timeout, self._kept)
        self._kept = None
        return came

    async def _at_hand(self, timeout: float | None) -> Outcome | None:
        """Receive what comes without the library's waiting for it; None where it has to."""
        watched = self._watched
        outcome = None if watched is None else watched.take()
        if outcome is None:
            outcome = self._carrier.perform(Step(RECEIVE, self._handle, data=_NOT_AT_ALL))
        if outcome.status == NOT_YET:
            watched = watched or self._watch()
            if watched is None:
                return None
            outcome = await self._within(timeout, watched)
            watched.take()
        return None if outcome.status == PENDING else outcome

    def _watch(self) -> Watched | None:
        """Have the loop wait for messages, where that can be: over TCP and TLS of its own, and without keep-alive."""
        if not self._watchable or self._sending:
            return None
        descriptor: int = ask(self._carrier, self._handle, {"type": "watch"})["descriptor"]
        if descriptor < 0:
            self._watchable = False
            return None
        step = Step(RECEIVE, self._handle, data=_NOT_AT_ALL)
        self._watched = Watched(self._background.loop, self._carrier, step, descriptor)
        self._source.watched = self._watched
        return self._watched

    async def _within(self, timeout: float | None, waiting: Kept | Watched) -> Outcome:
        outcome = await waiting.outcome(timeout)
        if outcome is None:
            raise ReadTimeout(f"no message in {timeout} seconds", request=self.response.request)
        return outcome

    async def send(self, data: Data) -> None:
        """Do what :meth:`WebSocket.send` does."""
        await self._say(self._send(data))

    async def ping(self, data: bytes = b"") -> None:
        """Send a ping of up to 125 bytes."""
        await self._say(self._ping(data))

    async def _say(self, step: Step) -> None:
        """Send, in the background only where that has to wait."""
        if not self._carrier.remote:
            step.verb = -step.verb
            outcome = self._carrier.perform(step)
            step.verb = -step.verb
            if outcome.status == PENDING:
                step = Step(FLUSH, self._handle)
            elif outcome.status != NOT_YET:
                self._judge(outcome)
                return
        self._sending += 1
        try:
            self._judge(await self._background.perform(step))
        finally:
            self._sending -= 1

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Do what :meth:`WebSocket.close` does."""
        step = self._goodbye(code, reason)
        if step is None:
            return
        try:
            self._said_goodbye(await self._background.perform(step))
        except BaseException:
            if self._released:
                self.response.close()
            raise

    aclose = close

    async def __aenter__(self) -> AsyncWebSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close(1000 if kind is None else _FAILED)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.recv()
            except WebSocketClosed as closed:
                if closed.code in _NORMAL:
                    return
                raise
            yield message


class Opening:
    """A WebSocket that is on its way: ``async with`` or ``await`` gives it."""

    __slots__ = ("_opened", "_socket")

    def __init__(self, opened: Coroutine[Any, Any, AsyncWebSocket]) -> None:
        self._opened = opened
        self._socket: AsyncWebSocket | None = None

    def __await__(self) -> Generator[Any, Any, AsyncWebSocket]:
        return self._opened.__await__()

    async def __aenter__(self) -> AsyncWebSocket:
        self._socket = await self
        return self._socket

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.__aexit__(kind, raised, traceback)
