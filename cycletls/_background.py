"""asyncio: work of the library in the background of an event loop.

There is one queue for a loop and a carrier, whoever sends from it. Its descriptor
becomes readable when something is done, and the loop then takes all of that at
once: no thread waits, nothing is polled.
"""

from __future__ import annotations

import asyncio
import weakref
from functools import partial

from ._exceptions import LoopError, SidecarDied
from ._transfer import CALL, PULL, START, Outcome, Reply, receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any, Final

    from ._live import Kept
    from ._streams import AsyncStream, Bytes, Stream
    from ._transfer import Carrier, Done, Queue, Step, Steps

_HAS_NO_LOOP: Final = (
    "there is no running asyncio event loop: await this below asyncio.run(), uvloop, or anyio's asyncio backend; "
    "with trio, use cycletls.CycleTLS in trio.to_thread.run_sync()"
)


class Background:
    """What the library does for one event loop.

    Args:
        loop: the running one.
        carrier: the way to the library.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, carrier: Carrier) -> None:
        self.loop = loop
        self.carrier = carrier
        self.users = 0
        self._queue = carrier.queue(loop, partial(_wake, weakref.ref(self)))
        self._waiting: dict[int, tuple[asyncio.Future[Done] | Kept, bool, object]] = {}
        # Closing waits until the library writes into nobody's memory any more, so that memory is held until then.
        self._finalizer = weakref.finalize(self, _end, loop, self._queue, self._waiting)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, carrier: Carrier) -> Background:
        """Return the loop's, which whoever asks for it leaves with :meth:`release`."""
        key = id(loop), id(carrier)
        background = _of_loop.get(key)
        if background is None or background.loop is not loop or background.carrier is not carrier:
            background = _of_loop[key] = cls(loop, carrier)
        background.users += 1
        return background

    @property
    def here(self) -> bool:
        """Whether its loop is the running one."""
        return asyncio._get_running_loop() is self.loop  # the public one raises where there is none

    def release(self) -> None:
        """Say that one user less needs it; with the last one it ends."""
        self.users -= 1
        self._end_unused()

    def _end_unused(self) -> None:
        """End where nobody needs it any more, nor waits for anything."""
        if self.users == 0 and not self._waiting and self._finalizer.alive:
            _of_loop.pop((id(self.loop), id(self.carrier)), None)
            self._finalizer()

    async def exchange(self, session: int, envelope: bytes, body: bytes | None) -> Reply:
        """Send a request whose body, if any, is at hand, and return the response with its body.

        It is :func:`cycletls._transfer.send` for what most requests are, with as little as can be on the way.
        """
        content = body or b""
        ticket = self._queue.submit_call(session, envelope, content)
        future = self._future(ticket, True, content)
        try:
            done = await future
        except BaseException:  # the task was cancelled, or its coroutine closed
            self._queue.cancel(ticket)
            raise
        status, handle, _, _, head, start = done
        if not handle or not status:
            return Reply(status, head, start)
        return await self.run(receive(self.carrier, Outcome(*done), False))

    async def perform(self, step: Step) -> Outcome:
        """Take a step in the background; cancelling the task ends the exchange."""
        ticket, kept = self._queue.submit(step)
        future = self._future(ticket, step.verb in (CALL, START), kept)
        try:
            return Outcome(*await future)
        except BaseException:  # as above
            self._queue.cancel(ticket)
            raise

    def keep(self, step: Step, kept: Kept) -> None:
        """Take a step that outlives whoever waits for it."""
        ticket, used = self._queue.submit(step)
        self._waiting[ticket] = kept, False, used

    def _future(self, ticket: int, makes: bool, kept: object) -> asyncio.Future[Done]:
        """Return what becomes of a ticket.

        Args:
            ticket: what submitting has returned.
            makes: whether the outcome has the handle of an exchange that is new.
            kept: what the library uses until it is done.
        """
        future: asyncio.Future[Done] = self.loop.create_future()
        self._waiting[ticket] = future, makes, kept
        return future

    async def run(self, steps: Steps, body: Stream | AsyncStream | None = None) -> Reply:
        """Take the steps of a transfer in the background."""
        pieces = None if body is None else _iterator(body)
        try:
            step = next(steps)
            while True:
                step = steps.send(await _next(pieces) if step.verb == PULL else await self.perform(step))
        except StopIteration as done:
            reply: Reply = done.value
            return reply
        finally:
            steps.close()

    def wake(self) -> None:
        """Tell those who wait what is done."""
        pop = self._waiting.pop
        try:
            for ticket, done in self._queue.take():
                future, makes, _ = pop(ticket)
                if not future.done():
                    future.set_result(done)
                elif makes and done[1]:  # nobody has seen this handle
                    self.carrier.close(done[1])
        except SidecarDied as exc:
            self._fail(exc)
        if not self.users:
            self._end_unused()

    def _fail(self, exc: Exception) -> None:
        """Tell those who wait that nothing comes any more."""
        for future, _, _ in self._waiting.values():
            if not future.done():
                future.set_exception(exc)
        self._waiting.clear()


_of_loop: weakref.WeakValueDictionary[tuple[int, int], Background] = weakref.WeakValueDictionary()


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        LoopError: there is none.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as exc:
        raise LoopError(_HAS_NO_LOOP) from exc


def _wake(reference: weakref.ref[Background]) -> None:
    background = reference()
    if background is not None:
        background.wake()


def _end(
    loop: asyncio.AbstractEventLoop, queue: Queue, waiting: dict[int, tuple[asyncio.Future[Done] | Kept, bool, object]]
) -> None:
    queue.close()
    for future, _, _ in waiting.values():
        if not future.done() and not loop.is_closed():
            future.cancel()
    waiting.clear()


def _iterator(body: Any) -> Iterator[Bytes] | AsyncIterator[Bytes]:
    iterator: Iterator[Bytes] | AsyncIterator[Bytes] = body.__aiter__() if hasattr(body, "__aiter__") else iter(body)
    return iterator


async def _next(pieces: Any) -> Bytes | None:
    """Return the next piece, None after the last."""
    if hasattr(pieces, "__anext__"):
        return await anext(pieces, None)
    piece: Bytes | None = next(pieces, None)
    return piece
