"""Messages over a TCP connection, each behind its length."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ._exceptions import ConnectionLost, FramingError, MalformedMessage
from ._framing import MAX_RECEIVED, FrameDecoder, frame_message
from ._message import decode_text
from ._transport import CONNECT_TIMEOUT, Transport

READ_SIZE: Final = 65_536


class TCPSocketClient(Transport):
    """A connection over TCP, or over TLS on it, that carries whole messages."""

    def __init__(
        self,
        *,
        ca: str | Path | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        max_received: int = MAX_RECEIVED,
    ) -> None:
        """See `Transport`."""
        super().__init__(ca=ca, connect_timeout=connect_timeout, max_received=max_received)
        self._decoder = FrameDecoder(max_received)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _open(self, host: str, port: int, use_tls: bool) -> None:
        context = tls_context(self.ca) if use_tls else None
        self._decoder = FrameDecoder(self.max_received)
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._streams = reader, writer

    async def _receive(self) -> None:
        if self._streams is None:
            raise ConnectionLost("the connection was closed")
        data = await self._streams[0].read(READ_SIZE)
        if not data:
            cut = f" within a message, after {self._decoder.pending} bytes of it" if self._decoder.pending else ""
            raise ConnectionLost(f"the broker closed the connection{cut}")
        await self._process_incoming_data(data)

    async def _process_incoming_data(self, data: bytes) -> None:
        """Take bytes as they come, and deliver each message that is whole."""
        self._decoder.feed(data)
        while True:
            try:
                message = self._decoder.next_message()
                if message is None:
                    return
                text = decode_text(message)
            except FramingError:
                raise
            except MalformedMessage as exc:  # the next one stands where it should
                self._tell(self._error_handlers, exc)
            else:
                await self._deliver(text)

    def _frame_message(self, message: str) -> bytes:
        """Return a message's bytes behind their length."""
        return frame_message(message)

    async def _write(self, messages: Sequence[str]) -> None:
        if self._streams is None:
            raise ConnectionLost("the connection was closed")
        writer = self._streams[1]
        writer.write(b"".join([self._frame_message(message) for message in messages]))
        await writer.drain()

    async def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    def _abort(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def tls_context(ca: str | Path | None) -> ssl.SSLContext:
    """Return what a TLS connection must satisfy: TLS 1.2 or newer, and a certificate for the host's name."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
