"""What the two transports have in common: who is told of what, and the reading of one connection.

A transport is one connection at a time and nothing more: it does not reconnect. Its handlers are plain functions,
called on the event loop in the order of registration; what they raise goes to the error handlers and harms nothing.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from ._exceptions import ConnectionFailed, ConnectionLost, MalformedMessage, MessageBrokerError, NotConnected
from ._framing import MAX_RECEIVED

log = logging.getLogger("mb_client")

CONNECT_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 2.0
"""Seconds for a goodbye; a peer that is gone gets no more."""

H = TypeVar("H", bound=Callable[..., Any])


class Transport(ABC):
    """A connection to a broker that carries whole messages."""

    def __init__(
        self,
        *,
        ca: str | Path | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        max_received: int = MAX_RECEIVED,
    ) -> None:
        """Make a transport that is not connected yet.

        Args:
            ca: the PEM file of the authority that signed the broker's certificate; None for those of the system.
            connect_timeout: seconds until a connection, TLS included, must stand.
            max_received: bytes of a message that is read.
        """
        self.ca = ca
        self.connect_timeout = connect_timeout
        self.max_received = max_received
        self._message_handlers: list[Callable[[str], object]] = []
        self._connect_handlers: list[Callable[[], object]] = []
        self._disconnect_handlers: list[Callable[[], object]] = []
        self._error_handlers: list[Callable[[Exception], object]] = []
        self._reading = asyncio.Event()
        self._reading.set()
        self._reader_task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._reader_task is not None

    async def connect(self, host: str, port: int, use_tls: bool = False) -> None:
        """Connect to the broker.

        Raises:
            ConnectionFailed: no connection could be made, or its certificate was not accepted.
        """
        if self.connected:
            raise ConnectionFailed("connected already: close() first")
        where = f"{host} port {port}"
        try:
            await asyncio.wait_for(self._open(host, port, use_tls), self.connect_timeout)
        except (asyncio.TimeoutError, TimeoutError) as exc:
            raise ConnectionFailed(f"{where}: no connection within {self.connect_timeout:g} s") from exc
        except (OSError, OverflowError, UnicodeError) as exc:  # the latter two of a port and a host that cannot be
            raise ConnectionFailed(f"{where}: {exc}") from exc
        self._reading.set()
        self._reader_task = asyncio.create_task(self._read(), name=f"mb_client reads {where}")
        self._tell(self._connect_handlers)

    async def send(self, message: str) -> None:
        """Send a message; return once it is on its way.

        Raises:
            NotConnected: there is no connection.
            ConnectionLost: it broke.
        """
        await self.send_many((message,))

    async def send_many(self, messages: Sequence[str]) -> None:
        """Send messages in their order, which is quicker than one by one. Raises as `send` does."""
        if not self.connected:
            raise NotConnected("not connected to a broker")
        try:
            await self._write(messages)
        except ConnectionLost:
            raise
        except OSError as exc:
            raise ConnectionLost(f"the connection broke: {exc}") from exc

    async def close(self) -> None:
        """Say goodbye and close the connection; nothing happens if there is none."""
        task, self._reader_task = self._reader_task, None
        if task is None:
            return
        with suppress(asyncio.TimeoutError, TimeoutError, OSError):
            await asyncio.wait_for(self._close(), CLOSE_TIMEOUT)
        self._abort()
        task.cancel()
        await asyncio.wait([task])
        self._tell(self._disconnect_handlers)

    def abort(self, reason: Exception) -> None:
        """End a connection that is of no use, without a goodbye."""
        if self._reader_task is not None and not self._reader_task.done():
            self._tell(self._error_handlers, reason)
            self._abort()
            self._reader_task.cancel()

    def pause_reading(self) -> None:
        """Read no further, so that the broker's messages wait in its own buffers."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Read on."""
        self._reading.set()

    def on_message(self, handler: Callable[[str], None]) -> None:
        """Register what is called with each message."""
        self._message_handlers.append(handler)

    def on_connect(self, handler: Callable[[], None]) -> None:
        """Register what is called when a connection stands."""
        self._connect_handlers.append(handler)

    def on_disconnect(self, handler: Callable[[], None]) -> None:
        """Register what is called once when a connection has ended, whoever ended it."""
        self._disconnect_handlers.append(handler)

    def on_error(self, handler: Callable[[Exception], None]) -> None:
        """Register what is called with what goes wrong outside of a call; without one it is logged."""
        self._error_handlers.append(handler)

    @abstractmethod
    async def _open(self, host: str, port: int, use_tls: bool) -> None:
        """Make the connection; failures are `OSError`."""

    @abstractmethod
    async def _receive(self) -> None:
        """Wait for what arrives and `_deliver` its messages; a connection that ended is an `OSError`."""

    @abstractmethod
    async def _write(self, messages: Sequence[str]) -> None:
        """Send messages, no quicker than the peer takes them; failures are `OSError`."""

    @abstractmethod
    async def _close(self) -> None:
        """Send what waits, say goodbye, and close."""

    @abstractmethod
    def _abort(self) -> None:
        """Close at once."""

    async def _read(self) -> None:
        try:
            while True:
                await self._reading.wait()
                await self._receive()
        except (OSError, MalformedMessage) as exc:
            if self._reader_task is asyncio.current_task():  # else close() ended it, as it was asked to
                known = isinstance(exc, MessageBrokerError)
                self._tell(self._error_handlers, exc if known else ConnectionLost(f"the connection broke: {exc}"))
        finally:
            if self._reader_task is asyncio.current_task():
                self._reader_task = None
                self._abort()
                self._tell(self._disconnect_handlers)

    async def _deliver(self, message: str) -> None:
        """Give a message to the handlers, as soon as reading is wanted."""
        if not self._reading.is_set():
            await self._reading.wait()
        self._tell(self._message_handlers, message)

    def _tell(self, handlers: Sequence[Callable[..., object]], *arguments: object) -> None:
        """Call handlers, so that none of them can harm this transport or another handler."""
        if handlers is self._error_handlers and not handlers:
            log.warning("%s", *arguments)
        for handler in handlers:
            try:
                handler(*arguments)
            except Exception as exc:
                if handlers is self._error_handlers:
                    log.exception("an error handler failed")
                else:
                    self._tell(self._error_handlers, exc)
