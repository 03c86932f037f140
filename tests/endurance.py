"""What takes long: gibibytes, ten thousand exchanges and messages, a thousand idle streams, forks and kills.

`make endurance` runs it; it is no part of the tests.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from conftest import held, settles
from servers import Peer, ScriptedServer
from sockets import accept, address, echo, served
from test_sidecar import survive_a_kill

from cycletls import AsyncCycleTLS, CycleTLS

GIBIBYTE = 1 << 30
PIECE = bytes(1 << 18)
pytestmark = pytest.mark.timeout(600)


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


class Peak:
    """How much memory grows while it is looked at."""

    def __init__(self) -> None:
        self._idle = resident()
        self.grown = 0.0

    def look(self) -> None:
        """Take note of what is in memory now."""
        self.grown = max(self.grown, resident() - self._idle)


def source(peer: Peer) -> None:
    """Play a server of a gibibyte."""
    while peer.read_head():
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIBIBYTE)
        for _ in range(GIBIBYTE // len(PIECE)):
            peer.send(PIECE)


def sink(peer: Peer) -> None:
    """Play a server that takes a gibibyte."""
    peer.read_head()
    left = GIBIBYTE
    while left > 0:
        left -= len(peer.read_exactly(min(left, len(PIECE))))
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_a_gibibyte_down_takes_no_memory() -> None:
    """In a thread and in a loop: less than 16 MiB over the idle client."""

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client, client.stream("GET", url, timeout=None) as response:
            async for _ in response.iter_bytes():
                peak.look()

    with ScriptedServer(source) as server, CycleTLS() as client:
        peak = Peak()
        with client.stream("GET", server.url, timeout=None) as response:
            assert sum(len(piece) for piece in looked_at(response.iter_bytes(), peak)) == GIBIBYTE
        asyncio.run(main(server.url))
    print(f"down: {peak.grown:.1f} MiB")
    assert peak.grown < 16


def looked_at(pieces: Iterator[bytes], peak: Peak) -> Iterator[bytes]:
    """The same pieces."""
    for piece in pieces:
        peak.look()
        yield piece


def test_a_gibibyte_up_takes_no_memory(tmp_path: Path) -> None:
    """In a thread and in a loop."""
    path = tmp_path / "gibibyte"
    path.touch()
    os.truncate(path, GIBIBYTE)

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            with path.open("rb") as file:
                assert (await client.post(url, content=file, timeout=None, upload_progress=progress)).ok

    def progress(done: int, total: int | None) -> None:
        peak.look()

    with ScriptedServer(sink) as server, CycleTLS() as client:
        peak = Peak()
        with path.open("rb") as file:
            assert client.post(server.url, content=file, timeout=None, upload_progress=progress).ok
        asyncio.run(main(server.url))
    print(f"up: {peak.grown:.1f} MiB")
    assert peak.grown < 16


def test_ten_thousand_cancels_leave_nothing(httpbin_h2: str, httpbin: str, ca_file: str) -> None:
    """Over both protocols, at any point of the exchange."""

    async def main() -> None:
        async with AsyncCycleTLS(verify=ca_file) as client:
            for n in range(250):
                url = (httpbin, httpbin_h2)[n % 2]
                tasks = [asyncio.create_task(client.get(f"{url}/bytes/1000")) for _ in range(40)]
                await asyncio.sleep(n % 9 / 1000)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    before = held()
    asyncio.run(main())
    assert settles(before)


def test_ten_thousand_early_closed_streams_leave_nothing() -> None:
    """Half of them in a thread, half in a loop."""

    def play(peer: Peer) -> None:
        while peer.read_head():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))

    async def early(client: AsyncCycleTLS, url: str) -> None:
        async with client.stream("GET", url) as response:
            await response.read(1)

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            for _ in range(250):
                await asyncio.gather(*(early(client, url) for _ in range(20)))

    before = held()
    for _ in range(10):  # a server of its own for each thousand: it keeps what it has seen
        with ScriptedServer(play) as server, CycleTLS() as client:
            for _ in range(500):
                with client.stream("GET", server.url) as response:
                    response.read(1)
    with ScriptedServer(play) as server:
        asyncio.run(main(server.url))
    assert settles(before)


def test_a_thousand_forks_and_requests(httpbin: str) -> None:
    """Each child of a process that has used the library gets its own answer; none hangs."""
    command = [sys.executable, Path(__file__).parent / "fork_rounds.py", "1000", httpbin]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(said)
    assert "1000 rounds, 0 wrong" in said


@pytest.mark.parametrize("seed", range(100))
def test_a_sidecar_killed_in_a_hundred_places_hangs_nobody(seed: int, httpbin: str) -> None:
    """Every call ends with its answer or an error."""
    survive_a_kill(seed, httpbin)


def test_ten_thousand_messages_leave_nothing() -> None:
    """Over a thousand WebSockets, half of them in a thread, half in a loop, ten at once; some end without a goodbye."""

    async def messages(client: AsyncCycleTLS, url: str) -> None:
        async with client.websocket(url) as ws:
            for number in range(10):
                await ws.send(str(number))
                assert await ws.recv(timeout=10) == str(number)

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            for _ in range(50):
                await asyncio.gather(*(messages(client, url) for _ in range(10)))

    before = held()
    with served(echo) as server:
        with CycleTLS() as client:
            for number in range(500):
                ws = client.websocket(address(server))
                for message in map(str, range(10)):
                    ws.send(message)
                    assert ws.recv(timeout=10) == message
                if number % 10:
                    ws.close()
                else:
                    ws.response.close()
        asyncio.run(main(address(server)))
    assert settles(before)


def test_a_thousand_idle_streams_cost_nothing() -> None:
    """Half of them WebSockets whose next message somebody waits for, half responses whose body goes on."""
    count, seconds = 500, 2.0

    def socket(peer: Peer) -> None:
        accept(peer)
        peer.read_all()

    def body(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        peer.read_all()

    def spent() -> tuple[float, int]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime, used.ru_nvcsw

    async def main(sockets: str, bodies: str) -> None:
        async with AsyncCycleTLS() as client, AsyncExitStack() as stack:
            waiting: list[asyncio.Task[object]] = []
            for _ in range(count):
                ws = await client.websocket(sockets)
                waiting.append(asyncio.create_task(ws.recv()))
                response = await stack.enter_async_context(client.stream("GET", bodies, timeout=None))
                assert await response.read(1) == b"x"
                waiting.append(asyncio.create_task(response.read(1)))
            await asyncio.sleep(1)  # what opening has left to do is not idling
            before = spent()
            await asyncio.sleep(seconds)
            cpu, switches = (now - then for now, then in zip(spent(), before, strict=True))
            print(f"idle: {1000 * cpu:.1f} ms, {switches} switches in {seconds:g} s")
            assert cpu < 0.020
            assert switches < 100
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    before = held()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand, each with the server's end and a watch
    with ScriptedServer(socket) as sockets, ScriptedServer(body) as bodies:
        asyncio.run(main(sockets.url.replace("http", "ws"), bodies.url))
    assert settles(before)
