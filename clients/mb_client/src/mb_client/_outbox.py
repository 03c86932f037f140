"""What waits to be sent: a bounded queue that outlives connections, and a short one that belongs to one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
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
        self._sendable = asyncio.Event()
        self._space = asyncio.Event()
        self._turn = asyncio.Lock()
        self._in_line = 0

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
        self._signal()

    async def put(self, outgoing: Outgoing) -> None:
        """Add a message; where the queue is full, wait while a connection empties it.

        Raises:
            QueueFull: there is no connection, and no room either.
        """
        if not self._in_line and len(self._waiting) < self._limit:
            self._add(outgoing)
            return
        self._in_line += 1  # whoever came first goes first; the lock alone would let others between
        try:
            async with self._turn:
                await self._room()
                self._add(outgoing)
        finally:
            self._in_line -= 1

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
            self._signal()
            if batch:
                return batch

    def _add(self, outgoing: Outgoing) -> None:
        self._waiting.append(outgoing)
        self._signal()

    async def _room(self) -> None:
        while len(self._waiting) >= self._limit:
            if not self._open:
                raise QueueFull(f"{self._limit} messages wait for a connection already")
            self._space.clear()
            await self._space.wait()

    def _next_ones(self) -> Iterable[Outgoing]:
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

    def _signal(self) -> None:
        if self._urgent or (self._open and self._waiting):
            self._sendable.set()
        else:
            self._sendable.clear()
        if len(self._waiting) < self._limit or not self._open:
            self._space.set()
