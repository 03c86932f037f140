"""Connections that break: what is restored, what fails, what is sent again, and how long that takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from mb_client import (
    Backoff,
    ConnectionFailed,
    ConnectionLost,
    MessageBrokerClient,
    MessageHeader,
    NotConnected,
    QueueFull,
    RequestTimeout,
)

from .conftest import QUICK, Connect, Inbox, Protocol, listening, until
from .proxy import Cut, FaultProxy, fault_proxy
from .standin.broker import Broker
from .throughput import BrokerProcess


@pytest.fixture
async def proxy(port: int) -> AsyncIterator[FaultProxy]:
    """A proxy before the broker."""
    async with fault_proxy(port) as proxy:
        yield proxy


def ids(broker: Broker, start: str) -> list[str]:
    """Return the ids of the messages that the broker saw and that begin so."""
    return [text.partition("\n")[0].split(":")[3] for text in broker.seen if text.startswith(start)]


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_everything_is_restored_before_the_first_publish(
    connect: Connect, broker: Broker, proxy: FaultProxy, how: Cut
) -> None:
    """On the next connection the service registers and subscribes, and only then is sent what waited."""
    client, told = await connect(to=proxy.port), Inbox()
    client.on_disconnect(lambda: told("lost"))
    client.on_connect(lambda: told("back"))
    await client.register_service("Orders", "Takes orders")
    await client.subscribe("a", 3)
    await client.subscribe_logs(lambda entry: None)
    client.serve("b")(lambda header, payload: "served")
    await client.services()
    broker.seen.clear()
    proxy.cut(how)
    await told.has(1)
    await client.publish("a", {"after": 1})
    assert told.payloads == ["lost", "back"]
    topics = [text.partition("\n")[0].split(":")[1] for text in broker.seen]
    assert topics == [
        "system.service.register",
        *["system.topic.subscribe"] * 3,
        "system.log.subscribe",
        "system.heartbeat",
        "a",
    ]
    assert broker.peers[-1].name == "Orders"
    assert broker.subscribers["a", "request"] == {broker.peers[-1]: 3}
    assert await client.request("b") == "served"
    assert client.stats.reconnects == 1


async def test_requests_in_flight_fail_as_lost(connect: Connect, broker: Broker, proxy: FaultProxy) -> None:
    """A thousand requests that wait when the connection breaks all end with ConnectionLost, and none is sent again."""
    service, client = await connect(), await connect(to=proxy.port)
    arrived = Inbox()
    service.on_message(lambda header, payload: arrived(header))
    await service.subscribe("a")
    asked = [asyncio.create_task(client.request("a", number)) for number in range(1_000)]
    await arrived.has(1_000)
    proxy.cut()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(result) for result in results} == {ConnectionLost}
    await client.services()
    assert len(ids(broker, "request:a")) == 1_000
    assert client.stats.resent == 0


async def test_a_broker_that_is_killed(protocol: Protocol) -> None:
    """When the broker's process is killed, a thousand requests that wait end at once, and later calls say why."""
    with BrokerProcess() as broker:
        client = MessageBrokerClient(protocol, reconnect=Backoff(first=0.01, attempts=2), inbox=2_000)
        client.on_error(lambda error: None)
        await client.connect("127.0.0.1", broker.ports[protocol])
        arrived = Inbox()
        client.on_message(lambda header, payload: arrived(header))
        await client.subscribe("a", action="request")
        asked = [asyncio.create_task(client.request("a", number)) for number in range(1_000)]
        await arrived.has(1_000)
        broker.kill()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(result) for result in results} == {ConnectionLost}
        with pytest.raises(ConnectionLost):
            await client.run()
        with pytest.raises(NotConnected):
            await client.publish("a")
        await client.close()


async def test_a_message_that_is_too_long(connect: Connect, broker: Broker, protocol: Protocol) -> None:
    """Over TCP it is passed over; a WebSocket ends with it, and is replaced."""
    client, errors = await connect(), Inbox()
    client.on_error(errors)
    await client.subscribe("a")
    broker.peers[0].send("publish:" + "a" * 10_000_000 + ":1.0.0\n{}")
    await errors.has(1)
    await client.publish("a")
    assert client.stats.reconnects == (1 if protocol == "ws" else 0)
    assert client.stats.malformed == (0 if protocol == "ws" else 1)


async def test_idempotent_requests_are_sent_again(connect: Connect, broker: Broker, proxy: FaultProxy) -> None:
    """What is marked so gets its answer on the next connection; an answer given meanwhile to the old one is stale."""
    service, client = await connect(), await connect(to=proxy.port)
    arrived, release = Inbox(), asyncio.Event()

    @service.serve("a")
    async def answer(header: MessageHeader, payload: Any) -> Any:
        arrived(payload)
        await release.wait()
        return len(arrived.payloads)

    await service.services()
    asked = asyncio.create_task(client.request("a", idempotent=True))
    await arrived.has(1)
    proxy.cut()
    await arrived.has(2)
    release.set()
    assert await asked == 2
    first, second = ids(broker, "request:a")
    assert first == second
    assert client.stats.resent == 1


async def test_answers_to_a_connection_that_is_gone_are_stale(
    connect: Connect, broker: Broker, proxy: FaultProxy
) -> None:
    """A service whose connection broke while it worked sends no answer that the broker would not know."""
    service, client = await connect(to=proxy.port), await connect()
    arrived, release = Inbox(), asyncio.Event()

    @service.serve("a")
    async def answer(header: MessageHeader, payload: Any) -> None:
        arrived(header)
        await release.wait()

    await service.services()
    with pytest.raises(RequestTimeout):
        await client.request("a", timeout=100)
    proxy.cut()
    await until(lambda: service.stats.reconnects == 1)
    release.set()
    await until(lambda: service.stats.stale == 1)
    with pytest.raises(ConnectionLost):
        await service.respond(arrived.payloads[0])
    await service.services()
    assert not any(text.startswith("response:a") for text in broker.seen)


async def test_publishes_without_connection_wait_in_order(connect: Connect, broker: Broker, proxy: FaultProxy) -> None:
    """What is published while there is no connection arrives after it, in its order, as far as there is room."""
    subscriber, inbox = await connect(), Inbox()
    subscriber.on_message(inbox)
    await subscriber.subscribe("a")
    client, lost = await connect(to=proxy.port, outbox=20), Inbox()
    client.on_disconnect(lambda: lost("lost"))
    proxy.accepting = False
    proxy.cut()
    await lost.has(1)
    waiting = [asyncio.create_task(client.publish("a", number, confirm=number % 2 == 0)) for number in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await client.publish("a", 20)
    proxy.accepting = True
    await asyncio.gather(*waiting)
    assert await inbox.has(20) == list(range(20))


async def test_publishes_without_connection_fail_at_once(connect: Connect, proxy: FaultProxy) -> None:
    """A client that was told so does not let them wait."""
    client, lost = await connect(to=proxy.port, offline="fail"), Inbox()
    client.on_disconnect(lambda: lost("lost"))
    proxy.accepting = False
    proxy.cut()
    await lost.has(1)
    for call in (client.publish("a"), client.publish("a", confirm=False), client.request("a")):
        with pytest.raises(NotConnected):
            await call


async def test_what_waits_too_long_is_not_sent(connect: Connect, broker: Broker, proxy: FaultProxy) -> None:
    """A publish whose time ends before there is a connection is given up, and stays so."""
    client, lost = await connect(to=proxy.port), Inbox()
    client.on_disconnect(lambda: lost("lost"))
    proxy.accepting = False
    proxy.cut()
    await lost.has(1)
    with pytest.raises(RequestTimeout):
        await client.publish("a", timeout=50)
    proxy.accepting = True
    await client.services()
    assert not ids(broker, "publish:a")


async def test_what_makes_the_broker_hang_up_is_not_sent_for_ever(protocol: Protocol, broker: Broker) -> None:
    """An idempotent message that ends every connection is given up after ten of them; others go on."""
    async with (
        listening(protocol, broker, max_message=1_000) as port,
        MessageBrokerClient(protocol, reconnect=QUICK) as client,
    ):
        await client.connect("127.0.0.1", port)
        with pytest.raises(ConnectionLost, match="10 times"):
            await client.publish("a", "b" * 1_000, idempotent=True)
        assert await client.services()
        assert client.stats.reconnects == 10


@pytest.mark.parametrize("kind", ["half open", "zombie"])
async def test_dead_connections_are_noticed(
    connect: Connect, broker: Broker, proxy: FaultProxy, protocol: Protocol, kind: str
) -> None:
    """A connection on which the broker is silent, or has forgotten the service, is replaced: heartbeats tell."""
    client, inbox, errors = await connect(to=proxy.port, heartbeat=0.05, heartbeat_timeout=0.2), Inbox(), Inbox()
    client.on_message(inbox)
    client.on_error(errors)
    await client.subscribe("a")
    if kind == "half open":
        proxy.freeze()
    else:
        broker.deregister(broker.peers[0])
    await until(lambda: client.stats.reconnects >= 1 and client.connected)
    await client.publish("a", "again")
    assert await inbox.has(1) == ["again"]
    if protocol == "ws" or kind == "half open":
        assert "no sign of life" in str(errors.payloads[0])


async def test_one_byte_at_a_time(connect: Connect, proxy: FaultProxy) -> None:
    """A network that passes on single bytes changes nothing but the time it takes."""
    proxy.chunk = 1
    client, inbox = await connect(to=proxy.port), Inbox()
    client.on_message(inbox)
    await client.subscribe("a")
    await asyncio.gather(*[client.publish("a", number) for number in range(20)])
    assert await inbox.has(20) == list(range(20))


async def test_the_broker_s_heartbeats_are_answered(protocol: Protocol) -> None:
    """A client that has nothing to say stays known to a broker that asks for signs of life."""
    broker = Broker(heartbeat=0.1)
    async with listening(protocol, broker) as port, MessageBrokerClient(protocol, heartbeat=60) as client:
        await client.connect("127.0.0.1", port)
        await client.subscribe("a")
        for _ in range(3):
            broker.seen.clear()
            await broker.saw("response:system.heartbeat:1.0.0\n{}")
        await client.publish("a")
        assert client.stats.reconnects == 0


async def test_heartbeats_are_sent(protocol: Protocol) -> None:
    """A broker that hears from the client in time need not ask."""
    broker = Broker(heartbeat=0.4)
    async with listening(protocol, broker) as port, MessageBrokerClient(protocol, heartbeat=0.1) as client:
        await client.connect("127.0.0.1", port)
        broker.seen.clear()
        await until(lambda: len(ids(broker, "request:system.heartbeat")) >= 8)
        assert not any(text.startswith("response:system.heartbeat") for text in broker.seen)


async def test_a_broker_that_restarts(protocol: Protocol, broker: Broker, port: int) -> None:
    """While nobody listens attempts fail and are told; when somebody does, all goes on."""
    async with fault_proxy(port) as proxy, MessageBrokerClient(protocol, reconnect=QUICK) as client:
        errors = Inbox()
        client.on_error(errors)
        await client.connect("127.0.0.1", proxy.port)
        await client.subscribe("a")
        proxy.accepting = False
        proxy.cut()
        await errors.has(4)
        proxy.accepting = True
        await client.publish("a")
        assert all(isinstance(error, ConnectionLost | ConnectionFailed) for error in errors.payloads)


@pytest.mark.parametrize("reconnect", [None, Backoff(first=0.01, attempts=3)])
async def test_giving_up(connect: Connect, proxy: FaultProxy, reconnect: Backoff | None) -> None:
    """Without reconnecting, or after so many attempts, run() and all that waits say that it is over."""
    client = await connect(to=proxy.port, reconnect=reconnect)
    running = asyncio.create_task(client.run())
    await client.subscribe("a")
    client.on_message(lambda header, payload: None)
    asked = asyncio.create_task(client.request("a", idempotent=True))
    await until(lambda: client.stats.received > 4)
    proxy.accepting = False
    proxy.cut()
    with pytest.raises(ConnectionLost):
        await running
    with pytest.raises(ConnectionLost):
        await asked
    with pytest.raises(NotConnected):
        await client.publish("a")
    await client.close()


def test_waits_grow_and_are_random() -> None:
    """Each wait is a part of a limit that doubles up to its end; the same seed gives the same waits."""
    backoff = Backoff(first=1, limit=5, attempts=2_000, random=Random(7))
    waits = list(backoff.waits())
    assert len(waits) == 2_000
    for wait, most in zip(waits, [1, 2, 4, *[5] * 1_997], strict=True):
        assert 0 <= wait <= most
    assert 2.3 < sum(waits) / len(waits) < 2.7
    assert list(Backoff(first=1, limit=5, attempts=2_000, random=Random(7)).waits()) == waits
    assert list(Backoff(attempts=0).waits()) == []
