"""What waits to be sent: a bounded queue that outlives connections, and a short one that belongs to one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from ._calls import Outgoing
from ._exceptions import QueueFull

BATCH: Final = 256
"""Messages that are written at once: enough to save on system calls, few enough for heartbeats to get between."""


class Outbox:
    """Messages in their order, kept until a connection takes them.

    There are two queues. What belongs to the connection (heartbeats, answers, what restores subscriptions) goes first
    and is dropped with it. The rest waits until the connection was restored, and for the next one when it breaks; it
    is bounded.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._urgent: deque[Outgoing] = deque()
        self._waiting: deque[Outgoing] = deque()
        self._open = False
        self._line: deque[tuple[Outgoing, asyncio.Future[None]]] = deque()
        self._sendable = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether a connection takes messages."""
        return self._open

    def open(self) -> None:
        """Let a connection take what waits."""
        self._open = True
        self._signal()

    def close(self, again: Iterable[Outgoing] = ()) -> None:
        """Keep what waits for the next connection.

        Args:
            again: what was sent already and will be sent once more, before all that waits.
        """
        self._open = False
        self._urgent.clear()
        self._waiting.extendleft(reversed(list(again)))
        for _, place in self._line:
            if not place.done():
                place.set_exception(self._full())
        self._line.clear()
        self._signal()

    async def put(self, outgoing: Outgoing) -> None:
        """Add a message; where the queue is full, stand in line while a connection empties it.

        Raises:
            QueueFull: there is no connection, and no room either.
        """
        if len(self._waiting) < self._limit and not self._line:
            self._waiting.append(outgoing)
            self._signal()
        elif self._open:
            place = asyncio.get_running_loop().create_future()
            self._line.append((outgoing, place))
            await place
        else:
            raise self._full()

    def put_urgent(self, outgoing: Outgoing) -> None:
        """Add what belongs to the connection that is there now."""
        outgoing.sent = True  # it is lost with the connection, whether it has left or not
        self._urgent.append(outgoing)
        self._signal()

    async def take(self) -> list[Outgoing]:
        """Wait for messages that may be sent, and return some, in their order."""
        while True:
            await self._sendable.wait()
            batch = list(self._next_ones())
            self._let_in()
            self._signal()
            if batch:
                return batch

    def _next_ones(self) -> Iterator[Outgoing]:
        for _ in range(BATCH):
            if self._urgent:
                outgoing = self._urgent.popleft()
            elif self._open and self._waiting:
                outgoing = self._waiting.popleft()
            else:
                return
            if not outgoing.given_up:
                outgoing.sent = True
                outgoing.sendings += 1
                yield outgoing

    def _let_in(self) -> None:
        """Give the room that there is to those who stand in line."""
        while self._line and len(self._waiting) < self._limit:
            outgoing, place = self._line.popleft()
            if not place.done():  # else its task was cancelled
                self._waiting.append(outgoing)
                place.set_result(None)

    def _signal(self) -> None:
        if self._urgent or (self._open and self._waiting):
            self._sendable.set()
        else:
            self._sendable.clear()

    def _full(self) -> QueueFull:
        return QueueFull(f"{self._limit} messages wait for a connection already")
