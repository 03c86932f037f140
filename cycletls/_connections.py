"""CycleTLS' names for WebSockets and streams of events: objects that are connected by a call of their own.

They work over a client of their own, one for the calling thread or one for an
event loop, whichever they are connected with.
"""

from __future__ import annotations

from enum import IntEnum

from ._exceptions import WebSocketClosed, WebSocketError
from ._session import AsyncCycleTLS, CycleTLS
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from types import TracebackType
    from typing import Any, TypeVar

    from ._events import AsyncEventStream, Event, EventStream
    from ._websocket import AsyncWebSocket, WebSocket

    Self = TypeVar("Self", bound="_Connection")


class MessageType(IntEnum):
    """What a message is: the opcodes of RFC 6455."""

    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class WebSocketMessage(Value):
    """A message that was received.

    Args:
        type: what it is; CLOSE says that the WebSocket is closed.
        data: text or bytes; of CLOSE the reason.
    """

    __slots__ = ("data", "type")

    def __init__(self, type: MessageType, data: str | bytes) -> None:
        self.type = type
        self.data = data

    @property
    def is_text(self) -> bool:
        """Whether it is text."""
        return self.type is MessageType.TEXT

    @property
    def is_binary(self) -> bool:
        """Whether it is binary."""
        return self.type is MessageType.BINARY

    @property
    def is_close(self) -> bool:
        """Whether it says that the WebSocket is closed."""
        return self.type is MessageType.CLOSE


class _Connection:
    """What both kinds have in common.

    Args:
        url: where to.
        headers: sent with the request, over the profile's.
        ja3: replaces the profile's ClientHello.
        user_agent: replaces the profile's.
        proxy: through which to connect.
        timeout: seconds for connecting; None is the limit that requests have.
        options: further options of :class:`cycletls.CycleTLS`.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        ja3: str | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        said = {"headers": headers, "ja3": ja3, "user_agent": user_agent, "proxy": proxy, "timeout": timeout}
        self.url = url
        self._options: dict[str, Any] = {
            **{name: value for name, value in said.items() if value is not None},
            **options,
        }
        self._client: CycleTLS | None = None
        self._async_client: AsyncCycleTLS | None = None

    def connect(self) -> None:
        """Connect, which leaving a ``with`` block undoes."""
        raise NotImplementedError

    async def connect_async(self) -> None:
        """Connect in an event loop."""
        raise NotImplementedError

    def close(self) -> None:
        """Close it; twice is harmless."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def close_async(self) -> None:
        """Close it in an event loop."""
        if self._async_client is not None:
            await self._async_client.aclose()
            self._async_client = None

    def __enter__(self: Self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self: Self) -> Self:
        await self.connect_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close_async()


class WebSocketConnection(_Connection):
    """A WebSocket under CycleTLS' name; :meth:`cycletls.CycleTLS.websocket` is the other way to one.

    Args:
        arguments: see the ones above.
    """

    def __init__(self, url: str, *arguments: Any, **options: Any) -> None:
        super().__init__(url, *arguments, **options)
        self._socket: WebSocket | None = None
        self._async_socket: AsyncWebSocket | None = None

    @property
    def connected(self) -> bool:
        """Whether it is open."""
        socket = self._socket or self._async_socket
        return socket is not None and socket.close_code is None

    def connect(self) -> None:
        """Open it."""
        self._client = CycleTLS(**self._options)
        self._socket = self._client.websocket(self.url)

    async def connect_async(self) -> None:
        """Open it in an event loop."""
        self._async_client = AsyncCycleTLS(**self._options)
        self._async_socket = await self._async_client.websocket(self.url)

    def send(self, data: str | bytes, binary: bool = False) -> None:
        """Send a message; ``binary`` makes one of text, too."""
        _open(self._socket).send(_as_binary(data) if binary else data)

    async def send_async(self, data: str | bytes, binary: bool = False) -> None:
        """Send a message in an event loop."""
        await _open(self._async_socket).send(_as_binary(data) if binary else data)

    def receive(self, timeout: float | None = None) -> WebSocketMessage:
        """Return the next message; one of type CLOSE when there are no more."""
        try:
            return _received(_open(self._socket).recv(timeout))
        except WebSocketClosed as closed:
            return WebSocketMessage(MessageType.CLOSE, closed.reason)

    async def receive_async(self, timeout: float | None = None) -> WebSocketMessage:
        """Return the next message in an event loop."""
        try:
            return _received(await _open(self._async_socket).recv(timeout))
        except WebSocketClosed as closed:
            return WebSocketMessage(MessageType.CLOSE, closed.reason)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and close it; twice is harmless."""
        if self._socket is not None:
            self._socket.close(code, reason)
        super().close()

    async def close_async(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and close it in an event loop."""
        if self._async_socket is not None:
            await self._async_socket.close(code, reason)
        await super().close_async()

    def __iter__(self) -> Iterator[WebSocketMessage]:
        while not (message := self.receive()).is_close:
            yield message

    async def __aiter__(self) -> AsyncIterator[WebSocketMessage]:
        while not (message := await self.receive_async()).is_close:
            yield message


class SSEConnection(_Connection):
    """A stream of events under CycleTLS' name; :meth:`cycletls.CycleTLS.events` is the other way to one.

    Args:
        arguments: see the ones above.
        last_event_id: the event to go on after.
    """

    def __init__(self, url: str, *arguments: Any, last_event_id: str | None = None, **options: Any) -> None:
        super().__init__(url, *arguments, **options)
        self._last_event_id = last_event_id
        self._stream: EventStream | None = None
        self._async_stream: AsyncEventStream | None = None
        self.retry_time: float | None = None
        """Seconds that the stream asked to wait before connecting again."""

    @property
    def connected(self) -> bool:
        """Whether it goes on."""
        stream = self._stream or self._async_stream
        return stream is not None and stream.response is not None and not stream.response.is_closed

    def connect(self) -> None:
        """Ask for the stream."""
        self._client = CycleTLS(**self._options)
        self._stream = self._client.events(self.url, last_event_id=self._last_event_id)

    async def connect_async(self) -> None:
        """Ask for the stream in an event loop."""
        self._async_client = AsyncCycleTLS(**self._options)
        self._async_stream = await self._async_client.events(self.url, last_event_id=self._last_event_id).connect()

    def next_event(self) -> Event | None:
        """Return the next event, None after the last."""
        return self._noted(next(_open(self._stream), None))

    async def next_event_async(self) -> Event | None:
        """Return the next event in an event loop."""
        return self._noted(await anext(_open(self._async_stream), None))

    def _noted(self, event: Event | None) -> Event | None:
        if event is not None and event.retry is not None:
            self.retry_time = event.retry
        return event

    def close(self) -> None:
        """End the stream; twice is harmless."""
        if self._stream is not None:
            self._stream.close()
        super().close()

    async def close_async(self) -> None:
        """End the stream in an event loop."""
        if self._async_stream is not None:
            await self._async_stream.close()
        await super().close_async()

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next_event()) is not None:
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self.next_event_async()) is not None:
            yield event


if TYPE_CHECKING:
    Opened = TypeVar("Opened")


def _open(connection: Opened | None) -> Opened:
    if connection is None:
        raise WebSocketError("it is not connected: call connect(), or connect_async() in an event loop, first")
    return connection


def _as_binary(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _received(message: str | bytes) -> WebSocketMessage:
    return WebSocketMessage(MessageType.TEXT if isinstance(message, str) else MessageType.BINARY, message)
