"""The connection that is meant to be there: opened, restored, watched, and opened again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ._backoff import Backoff
from ._calls import Outgoing
from ._exceptions import ConnectionLost, MessageBrokerError
from ._outbox import Outbox
from ._transport import Transport


class Owner(Protocol):
    """Who uses a link, and is told of its fortunes."""

    def make_transport(self) -> Transport:
        """Return a transport that is not connected, with its handlers for messages and errors."""

    async def restore(self) -> None:
        """Tell the broker again who this is; what it raises makes the connection useless."""

    async def is_alive(self) -> bool:
        """Ask the broker for a sign of life."""

    def lost(self) -> Iterable[Outgoing]:
        """Take note that the connection is gone; return what is to be sent again."""

    def opened(self) -> None:
        """Take note that the connection stands and everything is restored."""

    def report(self, error: Exception) -> None:
        """Take note of what went wrong."""

    def ended(self, error: MessageBrokerError) -> None:
        """Take note that there will be no connection any more."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is."""

    host: str
    port: int
    use_tls: bool


class Link:
    """Keeps one connection to a broker standing.

    Attributes:
        reconnects: how often it was restored after a loss.
    """

    def __init__(
        self, owner: Owner, outbox: Outbox, address: Address, *, backoff: Backoff | None, heartbeat: float
    ) -> None:
        self.reconnects = 0
        self._owner = owner
        self._outbox = outbox
        self._address = address
        self._backoff = backoff
        self._heartbeat = heartbeat
        self._transport: Transport | None = None
        self._down = asyncio.Event()
        self._useful = False
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None

    @property
    def transport(self) -> Transport | None:
        """The connection that is there now."""
        return self._transport

    async def connect(self) -> None:
        """Connect once, and keep it so from then on.

        Raises:
            ConnectionFailed: there is no broker, or none to be trusted.
            ConnectionLost: it hung up at once.
            RequestTimeout: it does not answer.
        """
        await self._establish()
        self._keeper = asyncio.create_task(self._keep(), name="mb_client keeps connected")

    async def close(self) -> None:
        """Close the connection and open none again."""
        while self._keeper is not None and not self._keeper.done():
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=0.1)  # wait_for() in Python 3.11 may overlook it, once
        await self._hang_up()

    def heard(self) -> None:
        """Take note that this connection is of use: the next wait, after its loss, is a short one again."""
        self._useful = True

    async def _establish(self) -> None:
        transport = self._owner.make_transport()
        await transport.connect(self._address.host, self._address.port, self._address.use_tls)
        transport.on_disconnect(lambda: self._lost(transport))
        self._transport = transport
        self._down.clear()
        self._tasks = [asyncio.create_task(self._send(transport), name="mb_client sends")]
        try:
            await self._owner.restore()
        except BaseException:
            await self._hang_up()
            raise
        if self._transport is not transport:
            raise ConnectionLost("the connection broke as soon as it stood")
        self._tasks.append(asyncio.create_task(self._watch(transport), name="mb_client watches"))
        self._outbox.open()
        self._owner.opened()

    async def _hang_up(self) -> None:
        transport, tasks = self._transport, self._tasks
        for task in tasks:
            task.cancel()
        if transport is not None:
            await transport.close()

    async def _keep(self) -> None:
        waits = None
        while True:
            await self._down.wait()
            if self._backoff is None:
                self._owner.ended(ConnectionLost("the connection broke, and reconnecting is not wanted"))
                return
            if waits is None or self._useful:
                waits = self._backoff.waits()
                self._useful = False
            if (wait := next(waits, None)) is None:
                self._owner.ended(ConnectionLost("the connection broke, and none could be made again"))
                return
            await asyncio.sleep(wait)
            try:
                await self._establish()
            except Exception as exc:  # whatever it is, there may be a connection the next time
                self._owner.report(exc)
            else:
                self.reconnects += 1

    async def _send(self, transport: Transport) -> None:
        while True:
            batch = await self._outbox.take()
            try:
                await transport.send_many([outgoing.message for outgoing in batch])
            except Exception as exc:  # whatever it is, nothing more can be sent on this one
                transport.abort(exc)
                return

    async def _watch(self, transport: Transport) -> None:
        """Ask for signs of life: what is half open, or forgotten by the broker, gives none."""
        while True:
            await asyncio.sleep(self._heartbeat)
            if not await self._owner.is_alive():
                transport.abort(ConnectionLost("the broker gives no sign of life"))
                return

    def _lost(self, transport: Transport) -> None:
        if transport is not self._transport:
            return
        self._transport = None
        for task in self._tasks:
            task.cancel()
        self._outbox.close(self._owner.lost())
        self._down.set()
