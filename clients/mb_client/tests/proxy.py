"""A proxy between a client and a broker that breaks connections in the ways in which they break."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal

Cut = Literal["fin", "reset"]
NO_LINGER = struct.pack("ii", 1, 0)
"""What makes a close a reset."""


class FaultProxy:
    """Passes bytes on until it is told otherwise.

    Attributes:
        port: where it listens, on loopback.
        accepted: connections so far.
        frozen: swallow what comes, both ways, and say nothing: a connection that is half open.
        chunk: pass on so many bytes at a time.
        accepting: whether new connections are passed on; else they are closed at once.
        watch: called with the number of bytes that are about to be passed on; it may `cut`.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self.frozen = False
        self.chunk = 65_536
        self.accepting = True
        self.watch: Callable[[int], None] = lambda count: None
        self.joined = asyncio.Event()
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self, how: Cut = "reset") -> None:
        """End every connection there is."""
        writers, self._writers = self._writers, []
        for writer in writers:
            connected: socket.socket = writer.get_extra_info("socket")
            if how == "reset" and connected.fileno() >= 0:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                writer.transport.abort()
            else:
                writer.close()

    async def close(self) -> None:
        """End everything."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.accepted += 1
        if not self.accepting:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, back]
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.joined.set()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(self.chunk):
                self.watch(len(data))
                if not self.frozen:
                    sink.write(data)
                    await sink.drain()
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
