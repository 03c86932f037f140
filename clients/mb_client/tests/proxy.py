"""A proxy between a client and a broker that breaks connections in the ways in which they break."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Cut = Literal["fin", "reset"]
NO_LINGER = struct.pack("ii", 1, 0)
"""What makes a close a reset."""


class _Connection:
    """Both halves of one connection."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.frozen = False
        self._writers = writers

    def end(self, how: Cut) -> None:
        """Close both ends."""
        for writer in self._writers:
            connected: socket.socket = writer.get_extra_info("socket")
            if how == "reset" and connected.fileno() >= 0:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                writer.transport.abort()
            else:
                writer.close()


class FaultProxy:
    """Passes bytes on until it is told otherwise.

    Attributes:
        port: where it listens, on loopback.
        accepting: whether new connections are passed on; else they are closed at once.
        chunk: pass on so many bytes at a time.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepting = True
        self.chunk = 65_536
        self._target = target
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_within: tuple[float, Cut] | None = None

    def cut(self, how: Cut = "reset") -> None:
        """End every connection there is."""
        connections, self._connections = self._connections, set()
        for connection in connections:
            connection.end(how)

    def cut_within(self, part: float, how: Cut) -> None:
        """End every connection as soon as bytes come, and pass on only a part of these."""
        self._cut_within = part, how

    def freeze(self) -> None:
        """Swallow from now on what comes on the connections there are, both ways: they are half open."""
        for connection in self._connections:
            connection.frozen = True

    async def close(self) -> None:
        """End everything."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if not self.accepting:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        connection = _Connection(writer, back)
        self._connections.add(connection)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass_on(connection, source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(self.chunk):
                if self._cut_within:
                    part, how = self._cut_within
                    self._cut_within = None
                    sink.write(data[: int(len(data) * part)])
                    self.cut(how)
                elif not connection.frozen:
                    sink.write(data)
                    await sink.drain()
        self._connections.discard(connection)
        sink.close()


@asynccontextmanager
async def fault_proxy(target: int) -> AsyncIterator[FaultProxy]:
    """Listen before a port of loopback."""
    proxy = FaultProxy(target)
    server = await asyncio.start_server(proxy.join, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
