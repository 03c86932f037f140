"""How uvicorn is run: as a server that can be told from outside to end, and that waits for no head of a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

LAST_BYTES = "indexedcp.last_bytes"
"""The extension of a request's scope that has what had arrived of its body, unread, when the client went away."""


def impatient_protocol(head_timeout: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a limit to the time that the head of a request may take.

    Uvicorn has one for idle connections, but none for a client that sends its head byte by byte. It also drops what it
    has received of a body when the client goes away, which here is kept: then it need not be sent again.
    """

    class ImpatientProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_head()
            else:
                self._head_is_there()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_there()
            if self.cycle is not None:
                self.cycle.scope["extensions"] = {LAST_BYTES: {"body": bytes(self.cycle.body)}}
            super().connection_lost(exc)

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

    return ImpatientProtocol


class Running(uvicorn.Server):
    """A uvicorn server that says when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], object]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun()
