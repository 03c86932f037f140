"""Streams of events (server-sent events), which the core goes on with when their connection ends."""

from __future__ import annotations

from ._core import failure, unpack
from ._envelope import seconds
from ._transfer import RECEIVE, Step
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType
    from typing import Any

    from ._background import Background
    from ._response import Response
    from ._streamed import AsyncStreamedResponse, StreamedResponse
    from ._transfer import Outcome


class Event(Value):
    """One event.

    Args:
        data: its text; lines are joined by line feeds.
        event: its name.
        id: the last id that the stream gave.
        retry: seconds that the stream asked to wait before connecting again; None where it did not.
    """

    __slots__ = ("data", "event", "id", "retry")

    def __init__(self, data: str, event: str = "message", id: str = "", retry: float | None = None) -> None:
        self.data = data
        self.event = event
        self.id = id
        self.retry = retry

    def json(self) -> Any:
        """Parse the data as JSON."""
        import json

        return json.loads(self.data)


SSEEvent = Event
"""CycleTLS' name."""


class _Source:
    """A stream of events, whoever waits for it."""

    __slots__ = ("last_event_id", "response")

    def __init__(self, response: StreamedResponse | AsyncStreamedResponse | None) -> None:
        self.response: Any = response
        """The first response of the stream."""
        self.last_event_id = ""
        """The id of the last event, which a later stream can go on after."""

    def _event(self, outcome: Outcome) -> Event | None:
        """Return the event that a step brought; None where the stream has ended for good."""
        if not outcome.handle:
            response: Response = self.response
            response.close()
            if not outcome.status:
                raise failure(unpack(outcome.head), response.request)
            return None
        message = unpack(outcome.head)
        retry = message.get("retry")
        event = Event(
            message.get("data", ""), message["event"], message.get("id", ""), None if retry is None else seconds(retry)
        )
        self.last_event_id = event.id
        return event


class EventStream(_Source):
    """A stream of events: iterating gives them, over as many connections as it takes.

    It ends when the server answers 204, or when it is closed. Leaving its ``with``
    block closes it.

    Attributes:
        response: its first response.
    """

    __slots__ = ()

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> Event:
        if self.response.is_closed:
            raise StopIteration
        event = self._event(self.response._source.carrier.perform(Step(RECEIVE, self.response._source.handle)))
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """End it. Doing so twice is harmless."""
        self.response.close()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncEventStream(_Source):
    """A stream of events in an event loop: ``async for`` gives them, and connects first.

    Attributes:
        response: its first response; None until it is connected.
    """

    __slots__ = ("_background", "_sent")

    def __init__(self, sent: Coroutine[Any, Any, Any], background: Background) -> None:
        super().__init__(None)
        self._sent: Coroutine[Any, Any, Any] | None = sent
        self._background = background

    async def connect(self) -> AsyncEventStream:
        """Wait for the first response."""
        if self._sent is not None:
            sent, self._sent = self._sent, None
            self.response = await sent
        return self

    def __aiter__(self) -> AsyncEventStream:
        return self

    async def __anext__(self) -> Event:
        await self.connect()
        if self.response is None or self.response.is_closed:
            raise StopAsyncIteration
        event = self._event(await self._background.perform(Step(RECEIVE, self.response._source.handle)))
        if event is None:
            raise StopAsyncIteration
        return event

    async def close(self) -> None:
        """End it. Doing so twice is harmless."""
        if self._sent is not None:
            self._sent.close()
            self._sent = None
        if self.response is not None:
            self.response.close()

    aclose = close

    async def __aenter__(self) -> AsyncEventStream:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
