"""A TCP proxy before the stand-in that breaks connections as it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from serving import Running

_PIECE: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What happens to a connection.

    Attributes:
        after: pieces of answers that pass before it happens.
        keep: bytes of the next piece that pass, too: the fault is in the midst of it.
        reset: whether the connection is then reset.
        drip: seconds between the pieces of 64 bytes in which the rest arrives; 0 is at once.
    """

    after: int = 0
    keep: int = 0
    reset: bool = False
    drip: float = 0.0


SOUND: Final = Fault()
REFUSED: Final = Fault(after=-1, reset=True)
"""Reset before anything was read."""


class Proxy:
    """A proxy before a stand-in, in the stand-in's event loop.

    Attributes:
        url: of the server through the proxy.
        plan: called with each connection; tells its fault.
    """

    def __init__(self, running: Running) -> None:
        self.plan: Callable[[], Fault] = lambda: SOUND
        self._running = running
        self._upstream = running.url.rpartition(":")[2]
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.up()
        self.url = f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen, at the same port as before."""
        self._running.wait(self._listen())

    def down(self) -> None:
        """Listen no longer, and reset what is open."""
        self._running.wait(self._stop())

    def drop(self) -> None:
        """Reset what is open."""
        self._running.do(self._reset_all)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=512)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for writer in list(self._open):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        fault = self.plan()
        if fault.after < 0:
            reset(writer)
            return
        self._open.add(writer)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        passing = asyncio.create_task(pass_on(reader, up_writer))
        with suppress(asyncio.CancelledError):  # by _stop(); asyncio's streams would report it as an error
            await answer(up_reader, writer, fault)
        passing.cancel()
        self._open.discard(writer)
        up_writer.close()
        writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what a client sends."""
    with suppress(OSError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
    """Pass on what the server sends, until the fault."""
    with suppress(OSError):
        pieces = 0
        while data := await reader.read(_PIECE):
            if fault.reset and pieces >= fault.after:
                writer.write(data[: fault.keep])
                await writer.drain()
                reset(writer)
                return
            step = 64 if fault.drip and pieces >= fault.after else _PIECE
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
                await writer.drain()
                await asyncio.sleep(fault.drip)
            pieces += 1


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


@contextmanager
def proxied(running: Running) -> Iterator[Proxy]:
    """Put a proxy before a stand-in until the block ends."""
    proxy = Proxy(running)
    try:
        yield proxy
    finally:
        proxy.down()
