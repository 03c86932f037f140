"""What arrived and waits for its handler: one bounded queue, in which each topic keeps its order.

A topic is a lane: its messages are handled one after the other, while other topics go on. A topic that is served has a
lane with several workers, since requests do not depend on one another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ._header import MessageHeader

Overflow = Literal["wait", "drop_newest", "drop_oldest"]

SLACK: Final = 8
"""By what the limit grows while a handler waits for an answer, which may stand behind more messages than fit."""

BURST: Final = 0.005
"""Seconds after which a lane whose handlers never wait lets others run."""

_inside: ContextVar[bool] = ContextVar("mb_client_inside_handler", default=False)


@dataclass(slots=True)
class Delivery:
    """A message, who is to have it, and the number of the connection that it came on."""

    header: MessageHeader
    payload: Any
    handlers: Sequence[Callable[..., Any]]
    connection: int


@dataclass(slots=True)
class _Lane:
    width: int
    waiting: deque[Delivery] = field(default_factory=deque)
    workers: int = 0


class Inbox:
    """Hands messages to their handlers.

    Attributes:
        dropped: messages for which there was no room.
        paused: whether reading is paused now, for want of room.
        pauses: how often it was.
    """

    def __init__(
        self,
        limit: int,
        overflow: Overflow,
        *,
        handle: Callable[[Delivery], Awaitable[None]],
        drop: Callable[[Delivery], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self.dropped = 0
        self.paused = False
        self.pauses = 0
        self._limit = limit
        self._overflow = overflow
        self._handle = handle
        self._drop = drop
        self._pause = pause
        self._resume = resume
        self._size = 0
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting_inside = 0
        self._closing_inside = 0
        self._changed = asyncio.Event()

    def put(self, lane: str, delivery: Delivery, width: int = 1) -> None:
        """Queue a message in a lane, and see to it that so many of the lane's are handled at a time."""
        there = self._lanes.get(lane)
        if there is None:
            there = self._lanes[lane] = _Lane(width)
        if self._size >= self._limit and self._overflow != "wait" and not self._make_room(there):
            self._discard(delivery)
        else:
            there.waiting.append(delivery)
            self._size += 1
        if there.waiting and there.workers < there.width:
            self._start_worker(lane, there)
        self._regulate()

    @contextmanager
    def reading_on(self) -> Iterator[None]:
        """Around the wait for an answer: read on, even if there is no room, where it is a handler that waits.

        Else the answer might stand behind messages that wait for this very handler.
        """
        inside = _inside.get()
        self._waiting_inside += inside
        self._regulate()
        try:
            yield
        finally:
            self._waiting_inside -= inside
            self._regulate()

    def is_inside(self) -> bool:
        """Whether this is called by a handler."""
        return _inside.get()

    async def drain(self) -> None:
        """Wait until all is handled; a handler that waits for this is not waited for."""
        inside = _inside.get()
        self._closing_inside += inside
        try:
            while self._size > self._closing_inside:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._closing_inside -= inside

    async def close(self) -> None:
        """End the handlers that run, but for the one that asks for it, and forget what waits."""
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for name, lane in list(self._lanes.items()):
            self._forget(name, lane)

    def _forget(self, name: str, lane: _Lane) -> None:
        """Remove a lane; something waits in it only if the handler's task was cancelled."""
        self._lanes.pop(name, None)
        self._size -= len(lane.waiting)
        self.dropped += len(lane.waiting)
        lane.waiting.clear()

    def _make_room(self, lane: _Lane) -> bool:
        """Drop the oldest of those that wait in a lane, if that is the policy and there is one."""
        if self._overflow != "drop_oldest" or not lane.waiting:
            return False
        self._size -= 1
        self._discard(lane.waiting.popleft())
        return True

    def _discard(self, delivery: Delivery) -> None:
        self.dropped += 1
        self._drop(delivery)

    def _start_worker(self, name: str, lane: _Lane) -> None:
        lane.workers += 1
        task = asyncio.create_task(self._work(name, lane), name=f"mb_client handles {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, name: str, lane: _Lane) -> None:
        _inside.set(True)
        clock = asyncio.get_running_loop().time
        burst = clock() + BURST
        try:
            while lane.waiting:
                delivery = lane.waiting.popleft()
                try:
                    await self._handle(delivery)
                finally:
                    self._size -= 1
                    self._changed.set()
                    self._regulate()
                if clock() > burst:
                    await asyncio.sleep(0)
                    burst = clock() + BURST
        finally:
            lane.workers -= 1
            if not lane.workers:
                self._forget(name, lane)

    def _regulate(self) -> None:
        """Pause reading when there is no room, and read on when half of it is free."""
        if self._overflow != "wait":
            return
        limit = self._limit * SLACK if self._waiting_inside else self._limit
        enough_room = self._size < limit if self._waiting_inside else self._size <= limit // 2
        if not self.paused and self._size >= limit:
            self.paused = True
            self.pauses += 1
            self._pause()
        elif self.paused and enough_room:
            self.paused = False
            self._resume()
