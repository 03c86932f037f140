"""The stand-in's doors: TCP with a length before each message, and WebSocket; both with and without TLS."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from .broker import Broker, Peer
from .wire import MAX_HEADER, MAX_PAYLOAD

MAX_MESSAGE = MAX_HEADER + MAX_PAYLOAD


class _TCPDoor(asyncio.Protocol):
    def __init__(self, broker: Broker, max_message: int) -> None:
        self._broker = broker
        self._max_message = max_message
        self._buffer = bytearray()
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = Peer(self._send, transport.close, outlives_silence=False)
        self._broker.connect(self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._broker.disconnect(self.peer)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= 4:
            (length,) = struct.unpack_from(">I", self._buffer, start)
            if length > self._max_message:
                self._transport.close()
                return
            if len(self._buffer) - start < 4 + length:
                break
            text = self._buffer[start + 4 : start + 4 + length].decode(errors="replace")
            start += 4 + length
            self._broker.receive(self.peer, text)
        del self._buffer[:start]

    def _send(self, text: str) -> None:
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        data = text.encode()
        self._out.append(struct.pack(">I", len(data)) + data)

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()


@asynccontextmanager
async def listen_tcp(
    broker: Broker, tls: ssl.SSLContext | None = None, max_message: int = MAX_MESSAGE
) -> AsyncIterator[int]:
    """Listen on a port of loopback, which is yielded."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _TCPDoor(broker, max_message), "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for peer in list(broker.peers):
            peer.end()


@asynccontextmanager
async def listen_ws(
    broker: Broker, tls: ssl.SSLContext | None = None, max_message: int = MAX_MESSAGE
) -> AsyncIterator[int]:
    """Listen on a port of loopback, which is yielded."""

    async def talk(connection: ServerConnection) -> None:
        def send(text: str) -> None:
            if not connection.transport.is_closing():
                broadcast([connection], text)

        peer = Peer(send, lambda: connection.transport.close(), outlives_silence=True)
        broker.connect(peer)
        try:
            async for message in connection:
                broker.receive(peer, message if isinstance(message, str) else message.decode(errors="replace"))
        except ConnectionClosed:
            pass
        finally:
            broker.disconnect(peer)

    async with serve(
        talk, "127.0.0.1", 0, ssl=tls, compression=None, max_size=max_message, ping_interval=None, close_timeout=0.1
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


DOORS = {"tcp": listen_tcp, "ws": listen_ws}
