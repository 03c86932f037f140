"""The library in this process beside the library behind a sidecar: python -m benchmarks.carriers.

The server is a process of its own, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress

import cycletls

SMALL, LARGE = 1024, 100 << 20
REQUESTS, ROUNDS, STREAMS, PIECES = 2000, 5, 64, 40


def serve() -> None:
    """Answer every request with as many bytes as its path says, and print the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=STREAMS * 2) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=_answer, args=(listener.accept()[0],), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    block = bytes(1 << 20)
    with peer, suppress(ConnectionError):  # a stream that nobody reads to its end
        while head := peer.recv(65536):
            size = int(head.split(b" ", 2)[1].removeprefix(b"/"))
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + block[: size % len(block)])
            for _ in range(size // len(block)):
                peer.sendall(block)


def rate(session: cycletls.CycleTLS, url: str) -> float:
    """Return how many requests a second there are, one after the other."""
    began = time.perf_counter()
    for _ in range(REQUESTS):
        assert len(session.get(f"{url}/{SMALL}").content) == SMALL
    return REQUESTS / (time.perf_counter() - began)


def throughput(session: cycletls.CycleTLS, url: str) -> float:
    """Return how many megabytes of a large body come in a second."""
    began = time.perf_counter()
    assert len(session.get(f"{url}/{LARGE}").content) == LARGE
    return LARGE / (time.perf_counter() - began) / 1e6


async def streams(sidecar: bool, url: str, slow: bool) -> float:
    """Return the seconds in which all but one stream are read, while one is or is not left unread."""
    async with cycletls.AsyncCycleTLS(sidecar=sidecar, profile="plain", timeout=None) as session:

        async def read() -> None:
            async with session.stream("GET", f"{url}/{PIECES << 16}") as response:
                async for _ in response.iter_bytes():
                    pass

        async with session.stream("GET", f"{url}/{LARGE if slow else 1}") as unread:
            await unread.read(1)
            began = time.perf_counter()
            await asyncio.gather(*[read() for _ in range(STREAMS - 1)])
            return time.perf_counter() - began


def main() -> None:
    """Print each figure for both, the median of rounds that take turns."""
    with subprocess.Popen([sys.executable, "-m", __spec__.name, "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        found: dict[tuple[str, bool], list[float]] = {}
        sessions = {way: cycletls.CycleTLS(sidecar=way, profile="plain", timeout=None) for way in (False, True)}
        for _ in range(ROUNDS):
            for way, session in sessions.items():
                found.setdefault(("requests of 1 KiB a second", way), []).append(rate(session, url))
                found.setdefault(("MB/s of a body of 100 MiB", way), []).append(throughput(session, url))
                for slow in (False, True):
                    what = f"s for 63 streams beside {'an unread one' if slow else 'none'}"
                    found.setdefault((what, way), []).append(asyncio.run(streams(way, url, slow)))
        for what in dict.fromkeys(what for what, _ in found):
            here, there = (statistics.median(found[what, way]) for way in (False, True))
            print(f"{what:42} in this process {here:9.2f}   sidecar {there:9.2f}   ratio {there / here:.2f}")
        server.kill()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
