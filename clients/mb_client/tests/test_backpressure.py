"""Slow handlers and slow brokers: what waits is bounded, keeps its order, and is finished by a clean close."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mb_client import ClientClosed, MessageBrokerClient, MessageHeader, ServiceUnavailable

from .conftest import Connect, Inbox, Protocol, until
from .standin.broker import Broker


class Slow:
    """A handler that goes on when it is told, and keeps what it handled."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.handled: list[Any] = []
        self.go_on = asyncio.Event()

    async def __call__(self, header: MessageHeader, payload: Any) -> None:
        self.begun.append(payload)
        await self.go_on.wait()
        self.handled.append(payload)


async def test_a_slow_handler_pauses_reading(connect: Connect) -> None:
    """With the policy to wait, no more than fit are taken, none is lost, and the order is kept."""
    client, publisher, slow = await connect(inbox=10), await connect(), Slow()
    client.on_message(slow)
    await client.subscribe("a")
    for number in range(100):
        await publisher.publish("a", number)
    await until(lambda: client.stats.pauses == 1)
    received = client.stats.received
    await publisher.services()
    assert client.stats.received == received
    assert slow.begun == [0]
    slow.go_on.set()
    await until(lambda: len(slow.handled) == 100)
    assert slow.handled == list(range(100))
    assert client.stats.dropped == 0


@pytest.mark.parametrize(
    ("overflow", "kept"), [("drop_newest", [0, *range(1, 10)]), ("drop_oldest", [0, *range(91, 100)])]
)
async def test_what_does_not_fit_is_dropped(connect: Connect, overflow: str, kept: list[int]) -> None:
    """The other policies drop the newest or the oldest that waits, and count them; answers still arrive."""
    client, slow = await connect(inbox=10, overflow=overflow), Slow()
    client.on_message(slow)
    await client.subscribe("a")
    for number in range(100):
        await client.publish("a", number)
    slow.go_on.set()
    await until(lambda: len(slow.handled) == 10)
    assert slow.handled == kept
    assert client.stats.dropped == 90


async def test_requests_that_do_not_fit_are_refused(connect: Connect) -> None:
    """Who asks too much is told so at once."""
    client, asking, slow = await connect(inbox=2, overflow="drop_newest"), await connect(), Slow()
    client.serve("a", concurrency=1)(slow)
    await client.services()
    asked = [asyncio.create_task(asking.request("a", number)) for number in range(3)]
    with pytest.raises(ServiceUnavailable, match="too many"):
        await asked[2]
    slow.go_on.set()
    assert await asyncio.gather(*asked[:2]) == [{}, {}]


async def test_topics_do_not_wait_for_one_another(connect: Connect) -> None:
    """A handler that is slow with one topic keeps no other topic, and no answer, waiting; each keeps its order."""
    client, slow, inbox = await connect(), Slow(), Inbox()

    @client.on_message
    async def handler(header: MessageHeader, payload: Any) -> None:
        await (slow(header, payload) if header.topic == "slow" else asyncio.sleep(0))
        if header.topic != "slow":
            inbox(payload)

    await client.subscribe("slow")
    await client.subscribe("quick")
    for number in range(20):
        await client.publish("slow", number)
        await client.publish("quick", number)
    assert await inbox.has(20) == list(range(20))
    slow.go_on.set()
    await until(lambda: slow.handled == list(range(20)))


async def test_a_handler_that_asks_gets_its_answer(connect: Connect) -> None:
    """With an inbox that is full, a handler that publishes or requests is not left behind what waits for it."""
    client, publisher, done = await connect(inbox=5), await connect(), Inbox()
    await publisher.subscribe("out")
    publisher.on_message(lambda header, payload: payload)
    await client.subscribe("in")

    @client.on_message
    async def handler(header: MessageHeader, payload: Any) -> None:
        assert await client.request("out", payload, timeout=5_000) == payload
        await client.publish("out", payload, timeout=5_000)
        done(payload)

    for number in range(30):
        await publisher.publish("in", number, confirm=False)
    assert await done.has(30) == list(range(30))


async def test_a_busy_client_is_not_taken_for_a_dead_connection(connect: Connect) -> None:
    """While reading is paused an answer to a heartbeat cannot be read, and is not missed."""
    client, publisher, slow = await connect(inbox=3, heartbeat=0.05, heartbeat_timeout=0.4), await connect(), Slow()
    client.on_message(slow)
    await client.subscribe("a")
    for number in range(300):
        await publisher.publish("a", number, confirm=False)
    await until(lambda: client.stats.pauses == 1)
    await asyncio.sleep(1)  # for what must not happen there is no event
    assert client.stats.reconnects == 0
    slow.go_on.set()
    await until(lambda: len(slow.handled) == 300)
    assert slow.handled == list(range(300))


async def test_publishers_wait_for_a_slow_connection(connect: Connect, broker: Broker) -> None:
    """More publishers than the outbox has room for wait their turn, and none overtakes another."""
    client, inbox = await connect(outbox=3), Inbox()
    client.on_message(inbox)
    await client.subscribe("a")
    await asyncio.gather(*[client.publish("a", number, confirm=number % 3 == 0) for number in range(200)])
    assert await inbox.has(200) == list(range(200))


async def test_close_finishes_what_was_begun(protocol: Protocol, broker: Broker, port: int) -> None:
    """Handlers end, what they send is sent, what waits for answers gets them, and unconfirmed messages arrive."""
    client, slow = MessageBrokerClient(protocol), Slow()
    await client.connect("127.0.0.1", port)
    await client.subscribe("a")

    @client.on_message
    async def handler(header: MessageHeader, payload: Any) -> None:
        await slow(header, payload)
        await client.publish("b", payload, confirm=False)

    for number in range(5):
        await client.publish("a", number)
    for number in range(500):
        await client.publish("c", number, confirm=False)
    closing = asyncio.create_task(client.close())
    await until(lambda: bool(slow.begun))
    with pytest.raises(ClientClosed):
        await client.publish("a")
    slow.go_on.set()
    await closing
    assert slow.handled == list(range(5))
    assert sum(text.startswith("publish:b") for text in broker.seen) == 5
    assert sum(text.startswith("publish:c") for text in broker.seen) == 500
    await until(lambda: not broker.peers)


async def test_close_handles_what_the_broker_has_sent(protocol: Protocol, broker: Broker, port: int) -> None:
    """Messages that stand unread behind a full inbox are handled, too."""
    handled = []
    async with MessageBrokerClient(protocol, inbox=3) as client, MessageBrokerClient(protocol) as publisher:
        await client.connect("127.0.0.1", port)
        await publisher.connect("127.0.0.1", port)
        await client.subscribe("a")

        @client.on_message
        async def handler(header: MessageHeader, payload: Any) -> None:
            await asyncio.sleep(0)
            handled.append(payload)

        for number in range(100):
            await publisher.publish("a", number)
    assert handled == list(range(100))


async def test_close_does_not_wait_for_ever(protocol: Protocol, broker: Broker, port: int) -> None:
    """A handler that does not end is cancelled, a request without an answer fails, and run() returns."""
    client, slow = MessageBrokerClient(protocol), Slow()
    await client.connect("127.0.0.1", port)
    await client.subscribe("a")
    client.on_message(slow)
    running = asyncio.create_task(client.run())
    asked = asyncio.create_task(client.request("a"))
    await until(lambda: bool(slow.begun))
    await client.close(timeout=0.05)
    with pytest.raises(ClientClosed):
        await asked
    await running
    assert not slow.handled


async def test_a_handler_may_close(protocol: Protocol, broker: Broker, port: int) -> None:
    """A message that tells a client to stop does so, without waiting for its own handler."""
    client = MessageBrokerClient(protocol)
    await client.connect("127.0.0.1", port)
    await client.subscribe("stop")

    @client.on_message
    async def stop(header: MessageHeader, payload: Any) -> None:
        await client.close(timeout=60)

    await client.publish("stop", confirm=False)
    await asyncio.wait_for(client.run(), 5)


async def test_requests_during_close_are_refused(connect: Connect) -> None:
    """While a client finishes its work, new requests to it are told that it closes."""
    client, asking, slow = await connect(), await connect(), Slow()
    client.serve("a")(slow)
    await client.services()
    first = asyncio.create_task(asking.request("a"))
    await until(lambda: bool(slow.begun))
    closing = asyncio.create_task(client.close())
    asked = [first]
    while not asked[-1].done():
        asked.append(asyncio.create_task(asking.request("a")))
        await asyncio.wait(asked[-1:], timeout=0.05)
    with pytest.raises(ServiceUnavailable, match="closing"):
        await asked.pop()
    slow.go_on.set()
    await closing
    assert await asyncio.gather(*asked) == [{}] * len(asked)
