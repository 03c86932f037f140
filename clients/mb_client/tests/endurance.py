"""Many messages through many disconnects: ``python -m tests.endurance``.

A client publishes on four topics through a proxy that ends its connection at seeded moments: within a message, by a
close, a reset, or by falling silent. A subscriber that is connected directly keeps the account. Two topics are
published as idempotent, so that their messages may arrive twice; of the other two each message arrives once at most.
Another subscriber's connection is cut, too: what it gets must be in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal

from mb_client import Backoff, ConnectionLost, MessageBrokerClient, MessageHeader

from .proxy import FaultProxy, fault_proxy
from .throughput import BrokerProcess

TOPICS = ("sure.a", "sure.b", "once.a", "once.b")
WINDOW = 512
"""Publishes that wait for their confirmation."""

HEARTBEAT = 0.5
"""Seconds; short, because in some cuts only silence tells."""


@dataclass
class Account:
    """What a subscriber got of a topic."""

    seen: bytearray
    highest: int = -1
    disorder: int = 0
    duplicates: int = 0

    def add(self, number: int) -> None:
        """Take a message's number; those that come for the first time must grow."""
        if self.seen[number]:
            self.duplicates += 1
            return
        self.seen[number] = 1
        self.disorder += number < self.highest
        self.highest = max(self.highest, number)


@dataclass
class Report:
    """What came of a run; seconds are from the loss of a connection until everything is restored."""

    messages: int
    cuts: int
    reconnects: int = 0
    reconnects_of_the_subscriber: int = 0
    acknowledged: int = 0
    acknowledged_and_lost: int = 0
    reported_lost: int = 0
    resent: int = 0
    duplicates_where_declared: int = 0
    duplicates_elsewhere: int = 0
    out_of_order: int = 0
    seconds: float = 0.0
    reconnect_median: float = 0.0
    reconnect_p99: float = 0.0
    reconnect_longest: float = 0.0


@dataclass
class Run:
    """One run's state."""

    messages: int
    chance: Random
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.acknowledged = {topic: bytearray(self.messages) for topic in TOPICS}
        self.reported = 0
        self.window = asyncio.Semaphore(WINDOW)
        self.tasks: set[asyncio.Task[None]] = set()

    def accounts(self) -> dict[str, Account]:
        """Return accounts with nothing in them."""
        return {topic: Account(bytearray(self.messages)) for topic in TOPICS}

    async def subscriber(self, client: MessageBrokerClient, port: int) -> dict[str, Account]:
        """Keep an account of what a client gets."""
        accounts = self.accounts()

        @client.on_message
        def keep(header: MessageHeader, payload: Any) -> None:
            accounts[header.topic].add(payload)

        await client.connect("127.0.0.1", port)
        for topic in TOPICS:
            await client.subscribe(topic, action="publish")
        return accounts

    async def publish_all(
        self, client: MessageBrokerClient, cuts: set[int], mine: FaultProxy, other: FaultProxy
    ) -> None:
        """Publish everything, and cut where it is time to: the publisher each time, a subscriber sometimes."""
        for number in range(self.messages):
            if number in cuts:
                while not client.connected:
                    await asyncio.sleep(0.001)
                self.cut(mine)
                if self.chance.random() < 0.25:
                    self.cut(other)
            await self.window.acquire()
            task = asyncio.create_task(self.publish(client, TOPICS[number % 4], number))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        await asyncio.gather(*self.tasks)

    async def publish(self, client: MessageBrokerClient, topic: str, number: int) -> None:
        """Publish one message, and keep what is said of it."""
        try:
            await client.publish(topic, number, idempotent=topic.startswith("sure"))
            self.acknowledged[topic][number] = 1
        except ConnectionLost:
            self.reported += 1
        finally:
            self.window.release()

    def cut(self, proxy: FaultProxy) -> None:
        """End a connection in one of the ways."""
        how: Literal["fin", "reset", "silence"] = self.chance.choices(["fin", "reset", "silence"], [45, 45, 10])[0]  # type: ignore[assignment]
        if how == "silence":
            proxy.freeze()
        else:
            proxy.cut_within(self.chance.random(), how)

    def watch(self, client: MessageBrokerClient) -> None:
        """Measure how long a client is without its connection."""
        lost = [0.0]
        client.on_disconnect(lambda: lost.__setitem__(0, time.perf_counter()))
        client.on_connect(lambda: self.times.append(time.perf_counter() - lost[0]) if lost[0] else None)


async def run(protocol: Literal["ws", "tcp"], messages: int, cuts: int, seed: int) -> Report:
    """Run it, against a broker in a process of its own."""
    state = Run(messages, Random(seed))
    moments = [int(messages * (cut + state.chance.uniform(0.1, 0.9)) / cuts) for cut in range(cuts)]
    with BrokerProcess() as broker:
        port = broker.ports[protocol]
        async with fault_proxy(port) as first, fault_proxy(port) as second:
            clients = [
                MessageBrokerClient(
                    protocol,
                    reconnect=Backoff(first=0.05, limit=1, random=Random(seed)),
                    heartbeat=HEARTBEAT,
                    heartbeat_timeout=HEARTBEAT * 4,
                )
                for _ in range(3)
            ]
            publisher, judge, cut_off = clients
            for client in clients:
                client.on_error(lambda error: None)
            accounts = await state.subscriber(judge, port)
            others = await state.subscriber(cut_off, second.port)
            state.watch(publisher)
            await publisher.connect("127.0.0.1", first.port)
            start = time.perf_counter()
            await state.publish_all(publisher, set(moments), first, second)
            await judge.services()  # what was published before has been received by then
            seconds = time.perf_counter() - start
            report = account_for(state, accounts, others, cuts)
            report.seconds = seconds
            report.reconnects = publisher.stats.reconnects
            report.reconnects_of_the_subscriber = cut_off.stats.reconnects
            report.resent = publisher.stats.resent
            for client in clients:
                await client.close()
    return report


def account_for(state: Run, accounts: dict[str, Account], others: dict[str, Account], cuts: int) -> Report:
    """Compare what was acknowledged with what arrived."""
    report = Report(state.messages, cuts, reported_lost=state.reported)
    for topic, account in accounts.items():
        acknowledged = state.acknowledged[topic]
        report.acknowledged += sum(acknowledged)
        report.acknowledged_and_lost += sum(
            one and not other for one, other in zip(acknowledged, account.seen, strict=True)
        )
        duplicates = account.duplicates
        if topic.startswith("sure"):
            report.duplicates_where_declared += duplicates
        else:
            report.duplicates_elsewhere += duplicates + others[topic].duplicates
        report.out_of_order += account.disorder + others[topic].disorder
    times = sorted(state.times) or [0.0]
    report.reconnect_median = times[len(times) // 2]
    report.reconnect_p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    report.reconnect_longest = times[-1]
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=["tcp", "ws"], default="tcp")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        outcome = asyncio.run(run(arguments.protocol, arguments.messages, arguments.cuts, arguments.seed))
        print(json.dumps({name: round(value, 3) for name, value in asdict(outcome).items()}, indent=2))
