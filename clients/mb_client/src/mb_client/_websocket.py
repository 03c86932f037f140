"""Messages over a WebSocket, each in a text message of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import cycletls

from ._exceptions import ConnectionLost, MalformedMessage
from ._framing import MAX_RECEIVED
from ._message import decode_text
from ._transport import CONNECT_TIMEOUT, Transport


class WebSocketClient(Transport):
    """A connection over WebSocket, or over TLS below it, that carries whole messages."""

    def __init__(
        self,
        *,
        ca: str | Path | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        max_received: int = MAX_RECEIVED,
    ) -> None:
        """See `Transport`."""
        super().__init__(ca=ca, connect_timeout=connect_timeout, max_received=max_received)
        self._session: cycletls.AsyncCycleTLS | None = None
        self._socket: cycletls.AsyncWebSocket | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def _open(self, host: str, port: int, use_tls: bool) -> None:
        address = f"[{host}]" if ":" in host else host
        try:
            self._session = cycletls.AsyncCycleTLS(profile="plain", verify=True if self.ca is None else str(self.ca))
            self._socket = await self._session.websocket(
                f"{'wss' if use_tls else 'ws'}://{address}:{port}/",
                compression=False,  # the broker has none
                max_message_bytes=self.max_received,
                timeout=None,  # connect() has its own
            )
        except BaseException as exc:
            self._abort()
            if isinstance(exc, cycletls.CycleTLSError):
                raise ConnectionLost(str(exc)) from exc
            raise

    async def _receive(self) -> None:
        try:
            message = await self._connected().recv()
        except cycletls.WebSocketClosed as exc:
            raise ConnectionLost(f"the broker closed the connection: {exc}") from exc
        except cycletls.CycleTLSError as exc:
            raise ConnectionLost(str(exc)) from exc
        try:
            text = message if isinstance(message, str) else decode_text(message)
        except MalformedMessage as exc:
            self._tell(self._error_handlers, exc)
        else:
            await self._deliver(text)

    async def _write(self, messages: Sequence[str]) -> None:
        socket = self._connected()
        try:
            for message in messages:
                await socket.send(message)
        except cycletls.CycleTLSError as exc:
            raise ConnectionLost(str(exc)) from exc

    async def _close(self) -> None:
        await self._connected().close()

    def _abort(self) -> None:
        socket, session = self._socket, self._session
        self._socket = self._session = None
        if socket is not None:
            socket.response.close()
        if session is not None:
            ending = asyncio.ensure_future(session.aclose())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def _connected(self) -> cycletls.AsyncWebSocket:
        if self._socket is None:
            raise ConnectionLost("the connection was closed")
        return self._socket
