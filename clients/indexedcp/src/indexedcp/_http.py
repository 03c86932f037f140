"""How uvicorn is run: as a server that can be told from outside to end, and that waits for no head of a request."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

TAKE_OVER: Final = "indexedcp.take_over"
"""The extension of a request's scope with a function to ``call``: it returns the :class:`Rest` of the body, to be read
by who called it, or None where the body is to be received as messages."""
_THREADS: Final = 32
"""Bodies that come fast and files that are read or synced, at once."""


@dataclass(slots=True)
class Rest:
    """What is to come of a body.

    Attributes:
        arrived: the body's beginning, which has been read.
        descriptor: of the connection, for who takes over to read from, without waiting, and to close.
        left: bytes that have not been read from it.
    """

    arrived: bytes
    descriptor: int
    left: int


def direct_protocol(head_timeout: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with bodies that can be read from their sockets, and a limit to the time of a head.

    A body that goes through loop and parser is copied again and again, and what is on its way there is lost with the
    process. So the loop stops reading behind a request's head, and whoever wants the body reads it from the socket to
    where it goes. The parser is told nothing of that: when the answer is sent, the next request gets another one.

    Uvicorn has a time limit for idle connections, but none for a client that sends its head byte by byte.
    """

    class DirectProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _rest: Rest | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
            super().connection_made(transport)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which asyncio leaves out at times
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_head()
            else:
                self._head_is_there()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_there()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before and self.cycle.more_body and not self.cycle.response_complete:
                self.flow.pause_reading()  # until the body is asked for
                self.cycle.scope["extensions"] = {TAKE_OVER: {"call": self._take_over}}

        def on_response_complete(self) -> None:
            rest, self._rest = self._rest, None
            if rest is not None and rest.left:
                self.transport.close()
            elif rest is not None:
                self.conn = h11.Connection(h11.SERVER)
            super().on_response_complete()

        def _take_over(self) -> Rest | None:
            cycle = self.cycle
            length = next((value for name, value in self.headers if name == b"content-length"), None)
            if length is None or not cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
                return None
            self.flow.pause_reading()
            descriptor = os.dup(self.transport.get_extra_info("socket").fileno())
            self._rest = Rest(bytes(cycle.body), descriptor, int(length) - len(cycle.body))
            return self._rest

        def _await_head(self) -> None:
            if self._deadline is None:
                self._deadline = self.loop.call_later(head_timeout, self._hang_up)

        def _head_is_there(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _hang_up(self) -> None:
            if not self.transport.is_closing():
                self.transport.close()

    return DirectProtocol


class Running(uvicorn.Server):
    """A uvicorn server that says when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], object]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "indexcp"))
        await super().startup(sockets)
        self._begun()
