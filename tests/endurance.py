"""What takes long: memory over a gibibyte each way, broken-off exchanges, forks and kills by the hundred.

`make endurance` runs it; it is no part of the tests.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import held, settles
from servers import Peer, ScriptedServer
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
