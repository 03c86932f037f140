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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mb_client import MessageBrokerClient

TOPIC = "orders.created"
PAYLOAD = {"id": 7, "sku": "A-1", "note": "sixty-four bytes or so of what an order has to say"}
PUBLISHERS = 256


@contextmanager
def broker_process() -> Iterator[tuple[dict[str, int], dict[str, float]]]:
    """Run the stand-in in a process; yield its ports, and a dict that has its CPU seconds afterwards."""
    command = [sys.executable, "-m", "tests.standin"]
    cost: dict[str, float] = {}
    process = subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), cost
    finally:
        out, _ = process.communicate("")
        cost.update(json.loads(out))


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
    with broker_process() as (ports, cost):
        rate = asyncio.run(publish(protocol, ports, seconds, confirm=confirm))
    after = os.times()
    client = after.user + after.system - before.user - before.system
    messages = cost["published"]
    return {
        "messages a second": round(rate),
        "client's CPU, us a message": round(client / messages * 1e6, 1),
        "stand-in's CPU, us a message": round(cost["cpu"] / messages * 1e6, 1),
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
