"""How many messages a second: ``python -m tests.throughput tcp`` (or ws).

The stand-in broker runs in a process of its own and passes everything on to one subscriber, which throws it away. CPU
seconds of both processes are shown, so that it can be seen which of them is the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from mb_client import MessageBrokerClient

TOPIC = "orders.created"
PAYLOAD = {"id": 7, "sku": "A-1", "note": "sixty-four bytes or so of what an order has to say"}
PUBLISHERS = 256


class BrokerProcess:
    """The stand-in in a process.

    Attributes:
        ports: where it listens, by transport.
        published: publishes that it passed on, known after its end.
        cpu: seconds that it cost, known after its end.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.standin"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.ports: dict[str, int] = json.loads(self._process.stdout.readline())
        self.published = 0
        self.cpu = 0.0

    def __enter__(self) -> BrokerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        out, _ = self._process.communicate("")
        if out:
            cost = json.loads(out)
            self.published, self.cpu = cost["published"], cost["cpu"]

    def kill(self) -> None:
        """End it as nothing else does: without a word to anybody."""
        self._process.kill()


class Sink(asyncio.Protocol):
    """A subscriber that throws everything away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Subscribe."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.subscribed = asyncio.get_running_loop().create_future()
        identifier = "00000000-0000-4000-8000-000000000000"
        text = f'request:system.topic.subscribe:1.0.0:{identifier}\n{{"action": "publish", "topic": "{TOPIC}"}}'
        transport.write(struct.pack(">I", len(text)) + text.encode())

    def data_received(self, data: bytes) -> None:
        """Take note of the answer, and of nothing else."""
        if not self.subscribed.done() and b"success" in data:
            self.subscribed.set_result(None)


async def publish(protocol: str, ports: dict[str, int], seconds: float, *, confirm: bool) -> float:
    """Publish for so many seconds; return messages a second."""
    transport, sink = await asyncio.get_running_loop().create_connection(Sink, "127.0.0.1", ports["tcp"])
    await sink.subscribed
    sent = 0
    async with MessageBrokerClient("tcp" if protocol == "tcp" else "ws") as client:
        await client.connect("127.0.0.1", ports[protocol])
        start = time.perf_counter()

        async def publisher() -> None:
            nonlocal sent
            while time.perf_counter() - start < seconds:
                await client.publish(TOPIC, PAYLOAD, confirm=confirm)
                sent += 1

        await asyncio.gather(*[publisher() for _ in range(PUBLISHERS)])
        if not confirm:
            await client.services()  # the broker has read all by now
        rate = sent / (time.perf_counter() - start)
    transport.close()
    return rate


def measure(protocol: str, seconds: float, *, confirm: bool) -> dict[str, float]:
    """Measure one kind of publishing with a broker of its own."""
    before = os.times()
    with BrokerProcess() as broker:
        rate = asyncio.run(publish(protocol, broker.ports, seconds, confirm=confirm))
    after = os.times()
    client = after.user + after.system - before.user - before.system
    return {
        "messages a second": round(rate),
        "client's CPU, us a message": round(client / broker.published * 1e6, 1),
        "stand-in's CPU, us a message": round(broker.cpu / broker.published * 1e6, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=["tcp", "ws"])
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    for confirm in (True, False):
        print(
            "confirmed" if confirm else "unconfirmed", measure(arguments.protocol, arguments.seconds, confirm=confirm)
        )
