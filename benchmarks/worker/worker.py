"""One client does one job.

A JSON object comes on standard input, one with the figures leaves on standard
output. It runs as a script, in the virtual environment of its client, so that
nothing but this folder is importable from here: the project's `cycletls` would
hide the one from PyPI.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, closing
from typing import Any

from meter import Meter, open_files, resident

WARM_UP = 0.2  # of the measured time
MIB = 1 << 20


class Job:
    """What is asked for, and a client to do it with."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.url: str = asked["url"]
        self.socket_url = self.url.replace("http", "ws", 1)
        self.size: int = asked["size"]
        self.peer = importlib.import_module(f"peers.{asked['peer']}")

    def open(self) -> Any:
        return closing(self.peer.Client(self.asked["ca"], self.asked["protocol"] == "HTTP/2.0"))

    def aopen(self) -> Any:
        return aclosing(self.peer.AsyncClient(self.asked["ca"], self.asked["protocol"] == "HTTP/2.0"))

    def get(self, client: Any, url: str | None = None) -> None:
        body = client.get(url or self.url)
        if len(body) != self.size:
            raise RuntimeError(f"body of {len(body)} bytes: {body[:80]!r}")

    async def aget(self, client: Any) -> None:
        self.check_size(len(await client.get(self.url)))

    def check_size(self, size: int) -> None:
        if size != self.size:
            raise RuntimeError(f"body of {size} bytes")

    def check_protocol(self, client: Any) -> None:
        self.check_spoken(client.get(self.asked["base"] + "/protocol"))

    def check_spoken(self, spoken: bytes) -> None:
        if spoken.decode() != self.asked["protocol"]:
            raise RuntimeError(f"speaks {spoken.decode()}")


def sequential(job: Job) -> dict[str, float]:
    """One request after the other on one session."""
    seconds = job.asked["seconds"]
    with job.open() as client:
        job.check_protocol(client)
        repeat(lambda: job.get(client), seconds * WARM_UP)
        meter = Meter()
        return meter.figures(repeat(lambda: job.get(client), seconds))


def threads(job: Job) -> dict[str, float]:
    """Many threads on one session, each one request after the other."""
    # Not at the top: `start` measures what this process imports, too.
    from concurrent.futures import ThreadPoolExecutor

    seconds, width = job.asked["seconds"], job.asked["threads"]
    with job.open() as client, ThreadPoolExecutor(width) as crew:

        def together(seconds: float) -> int:
            """All threads at work; some clients keep connections for each."""
            return sum(crew.map(lambda _: repeat(lambda: job.get(client), seconds), range(width)))

        job.check_protocol(client)
        together(seconds * WARM_UP)
        meter = Meter()
        return meter.figures(together(seconds))


def tasks(job: Job) -> dict[str, float]:
    """Many asyncio tasks on one session, each one request after the other."""
    import asyncio

    async def one(client: Any, end: float) -> int:
        count = 0
        while time.perf_counter() < end:
            await job.aget(client)
            count += 1
        return count

    async def together(client: Any, seconds: float) -> int:
        end = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(one(client, end) for _ in range(job.asked["tasks"]))))

    async def main() -> dict[str, float]:
        async with job.aopen() as client:
            job.check_spoken(await client.get(job.asked["base"] + "/protocol"))
            await together(client, job.asked["seconds"] * WARM_UP)
            meter = Meter()
            return meter.figures(await together(client, job.asked["seconds"]))

    return asyncio.run(main())


def stream(job: Job) -> dict[str, float]:
    """A large body, read in pieces as it comes; the rate is in MiB."""
    with job.open() as client:
        job.check_protocol(client)
        meter = Meter()
        for _ in range(job.asked["times"]):
            job.check_size(client.stream(job.url))
        return meter.figures(job.asked["times"] * job.size // MIB)


def astream(job: Job) -> dict[str, float]:
    """The same in an event loop."""
    import asyncio

    async def main() -> dict[str, float]:
        async with job.aopen() as client:
            job.check_spoken(await client.get(job.asked["base"] + "/protocol"))
            meter = Meter()
            for _ in range(job.asked["times"]):
                job.check_size(await client.stream(job.url))
            return meter.figures(job.asked["times"] * job.size // MIB)

    return asyncio.run(main())


def echo(job: Job) -> dict[str, float]:
    """Messages over one WebSocket, each sent when the one before has come back."""
    message = "x" * job.size
    with job.open() as client, client.websocket(job.socket_url) as socket:

        def once() -> None:
            socket.send(message)
            job.check_size(len(socket.recv()))

        repeat(once, job.asked["seconds"] * WARM_UP)
        meter = Meter()
        return meter.figures(repeat(once, job.asked["seconds"]))


def aecho(job: Job) -> dict[str, float]:
    """The same in an event loop."""
    import asyncio

    message = "x" * job.size

    async def repeated(socket: Any, seconds: float) -> int:
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            await socket.send(message)
            job.check_size(len(await socket.recv()))
            count += 1
        return count

    async def main() -> dict[str, float]:
        async with job.aopen() as client, client.websocket(job.socket_url) as socket:
            await repeated(socket, job.asked["seconds"] * WARM_UP)
            meter = Meter()
            return meter.figures(await repeated(socket, job.asked["seconds"]))

    return asyncio.run(main())


def handshakes(job: Job) -> dict[str, float]:
    """One session whose connections the server ends after each answer."""
    figures = sequential(job)
    with job.open() as client:
        client.get(job.url)
        return figures | {"resumed": float(client.get(job.asked["base"] + "/resumed") == b"r")}


def sessions(job: Job) -> dict[str, float]:
    """A new session for each request."""

    def once() -> None:
        with job.open() as client:
            job.get(client)

    seconds = job.asked["seconds"]
    repeat(once, seconds * WARM_UP)
    meter = Meter()
    return meter.figures(repeat(once, seconds))


def download(job: Job) -> dict[str, float]:
    """A large body into memory; the rate is in MiB."""
    with job.open() as client:
        client.get(job.asked["base"] + "/protocol")
        meter = Meter()
        for _ in range(job.asked["times"]):
            job.get(client)
        return meter.figures(job.asked["times"] * job.size // MIB)


def upload(job: Job) -> dict[str, float]:
    """A large file as multipart/form-data; the rate is in MiB."""
    with job.open() as client:
        client.get(job.url)
        meter = Meter()
        for _ in range(job.asked["times"]):
            client.upload(job.url, job.asked["file"])
        return meter.figures(job.asked["times"] * job.size // MIB)


def start(job: Job) -> dict[str, float]:
    """From the process's start, which the asker has noted, to the first body."""
    with job.open() as client:
        job.get(client)
        now = time.monotonic()
        return {"milliseconds": (now - job.asked["started"]) * 1000, "resident": resident()}


def astart(job: Job) -> dict[str, float]:
    """The same for asyncio."""
    import asyncio

    async def main() -> float:
        async with job.aopen() as client:
            await job.aget(client)
            return time.monotonic()

    return {"milliseconds": (asyncio.run(main()) - job.asked["started"]) * 1000, "resident": resident()}


def hosts(job: Job) -> dict[str, float]:
    """Very many hosts, each met cold and then once more warm."""
    addresses = [f"127.1.{i >> 8}.{i & 255}" for i in range(job.asked["hosts"])]
    settled = 0.0
    with job.open() as client:
        meter = Meter()
        for i, address in enumerate(addresses):
            if i == job.asked["settle"]:
                settled = resident()
            for _ in "cold", "warm":
                job.get(client, job.url.replace("127.0.0.1", address))
        growth = resident() - settled
        return meter.figures(2 * len(addresses)) | {"growth": growth, "files": open_files()}


def repeat(action: Callable[[], None], seconds: float) -> int:
    """Act until the time is over; return how often."""
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        action()
        count += 1
    return count


WORKS = {
    work.__name__: work
    for work in (
        sequential,
        threads,
        tasks,
        echo,
        aecho,
        handshakes,
        sessions,
        download,
        stream,
        astream,
        upload,
        start,
        astart,
        hosts,
    )
}


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    try:
        answer: dict[str, Any] = {"figures": WORKS[asked["work"]](Job(asked))}
    except Exception as error:  # whatever a client raises is its result
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
