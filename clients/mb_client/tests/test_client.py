"""The client on a connection that stands: services, subscriptions, publishing, requests, answers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from mb_client import (
    BrokerError,
    ClientClosed,
    ConnectionFailed,
    InvalidMessage,
    MessageBrokerClient,
    MessageHeader,
    NoRouteFound,
    RequestTimeout,
    ServiceUnavailable,
)

from .conftest import Certificates, Connect, Inbox, Protocol, listening
from .standin.broker import Broker


async def test_a_service_registers(connect: Connect, broker: Broker) -> None:
    """The broker gets the name and description."""
    client = await connect()
    await client.register_service("Orders", "Takes orders")
    assert (broker.peers[0].name, broker.peers[0].description) == ("Orders", "Takes orders")


@pytest.mark.parametrize(("name", "description"), [("", "d"), ("n" * 37, "d"), ("n", ""), ("n", "d" * 1025)])
async def test_names_are_checked(connect: Connect, broker: Broker, name: str, description: str) -> None:
    """A name or description that the broker refuses is not sent."""
    client = await connect()
    with pytest.raises(InvalidMessage):
        await client.register_service(name, description)
    assert not any("register" in text for text in broker.seen)


async def test_a_published_message_arrives(connect: Connect) -> None:
    """Subscribers get header and payload; the case of the topic does not matter, and is the publisher's."""
    client, inbox = await connect(), Inbox()
    await client.subscribe("orders.created")
    client.on_message(inbox)
    headers = Inbox()

    @client.on_message
    async def keep(header: MessageHeader, payload: Any) -> None:
        headers(header)

    await client.publish("Orders.Created", {"id": 7, "note": "é"}, version="2.1.0")
    assert await inbox.has(1) == [{"id": 7, "note": "é"}]
    (header,) = await headers.has(1)
    assert (header.action, header.topic, header.version) == ("publish", "Orders.Created", "2.1.0")


async def test_the_documented_example(connect: Connect, protocol: Protocol, port: int) -> None:
    """The example of the broker's Python documentation runs as it is written, where somebody answers it."""
    other, messages, answers = await connect(), Inbox(), Inbox()
    other.serve("test.service")(lambda header, payload: payload)
    other.on_message(lambda header, payload: None)
    await other.subscribe("test.events")

    client = MessageBrokerClient(protocol)
    await client.connect("127.0.0.1", port)
    await client.register_service("TestService", "Python test service")
    await client.subscribe("test.messages")

    def handle_message(header: MessageHeader, payload: dict[str, Any]) -> None:
        messages((header.topic, payload))

    client.on_message(handle_message)

    async def handle_response(response: dict[str, Any]) -> None:
        answers(response)

    await client.request("test.service", {"data": "test"}, handle_response)
    await client.publish("test.events", {"event": "test"})
    running = asyncio.create_task(client.run())
    await other.publish("test.messages", {"hello": 1})
    assert await messages.has(1) == [("test.messages", {"hello": 1})]
    assert answers.payloads == [{"data": "test"}]
    await client.close()
    await running


async def test_publishing_to_nobody_is_an_error(connect: Connect) -> None:
    """The broker says that nobody subscribes, to whoever waits for its word, and else to the error handlers."""
    client, errors = await connect(), Inbox()
    client.on_error(errors)
    with pytest.raises(NoRouteFound):
        await client.publish("test.nobody", {})
    await client.publish("test.nobody", {}, confirm=False)
    assert isinstance((await errors.has(1))[0], NoRouteFound)
    assert client.stats.unknown == 1


async def test_subscribing_means_both_kinds(connect: Connect, broker: Broker) -> None:
    """One call asks for what is published and for requests, with the priority; the broker wants two messages."""
    client = await connect()
    await client.subscribe("a.b", 3)
    await client.subscribe("a.c", action="request")
    await client.subscribe("system.service.register")
    assert [
        json.loads(text.partition("\n")[2]) for text in broker.seen if text.startswith("request:system.topic.subscribe")
    ] == [
        {"action": "publish", "topic": "a.b", "priority": 3},
        {"action": "request", "topic": "a.b", "priority": 3},
        {"action": "request", "topic": "a.c", "priority": 1},
        {"action": "publish", "topic": "system.service.register", "priority": 1},
    ]


async def test_a_second_subscription_delivers_once(connect: Connect, broker: Broker) -> None:
    """Subscribing again sends nothing, whatever the case; with another priority the broker is told that."""
    client, inbox = await connect(), Inbox()
    client.on_message(inbox)
    await asyncio.gather(client.subscribe("a.b"), client.subscribe("A.B"), client.subscribe("a.b"))
    await client.publish("a.b", 1)
    await client.publish("a.b", 2)
    await client.services()
    assert await inbox.has(2) == [1, 2]
    assert sum("system.topic.subscribe" in text for text in broker.seen) == 2
    await client.subscribe("a.b", 9)
    assert broker.subscribers["a.b", "request"] == {broker.peers[0]: 9}


async def test_unsubscribing(connect: Connect, broker: Broker) -> None:
    """Both kinds are unsubscribed; of what was not subscribed nothing is said."""
    client = await connect()
    await client.subscribe("a.b")
    await client.unsubscribe("A.b")
    await client.unsubscribe("a.b")
    assert not broker.subscribers
    with pytest.raises(NoRouteFound):
        await client.publish("a.b")


@pytest.mark.parametrize("topic", ["orders.+", "orders.#", "orders.*", "a_b", ""])
async def test_wildcards_are_refused(connect: Connect, broker: Broker, topic: str) -> None:
    """The broker takes none, and so nothing is sent."""
    client = await connect()
    before = len(broker.seen)
    for call in (client.subscribe(topic), client.publish(topic), client.request(topic)):
        with pytest.raises(InvalidMessage, match="topic"):
            await call
    with pytest.raises(InvalidMessage):
        client.serve(topic)
    assert len(broker.seen) == before


async def test_what_the_broker_refuses_is_raised(connect: Connect, broker: Broker) -> None:
    """Its error comes with code and message, and the subscription is not kept."""
    client = await connect()
    with pytest.raises(BrokerError, match="INVALID_REQUEST: Missing or invalid topic"):
        await client.subscribe("system.metrics")
    await client.unsubscribe("system.metrics")
    assert not any("unsubscribe" in text for text in broker.seen)


async def test_requests_are_answered(connect: Connect) -> None:
    """What a handler returns is the answer, whether it waits or not; None is an empty object."""
    client, asking = await connect(), await connect()

    @client.serve("stock.check")
    async def stock(header: MessageHeader, payload: Any) -> Any:
        await asyncio.sleep(0)
        return {"left": payload["sku"] + 2}

    @client.serve("stock.count")
    def count(header: MessageHeader, payload: Any) -> None:
        pass

    await client.services()
    assert await asking.request("stock.check", {"sku": 1}, timeout=5000) == {"left": 3}
    assert await asking.request("Stock.Count") == {}


async def test_answers_are_handed_on(connect: Connect) -> None:
    """The handler of the documented interface, sync or async, gets what is returned."""
    client, inbox, again = await connect(), Inbox(), Inbox()
    client.serve("a")(lambda header, payload: payload)

    async def handler(payload: Any) -> None:
        again(payload)

    assert await client.request("a", {"b": 1}, inbox, 1000) == {"b": 1}
    await client.request("a", {"b": 2}, response_handler=handler)
    assert (inbox.payloads, again.payloads) == ([{"b": 1}], [{"b": 2}])


async def test_errors_of_handlers_are_answers(connect: Connect) -> None:
    """An error of the broker's kind goes back as it is, another one as INTERNAL_ERROR, and is told here."""
    client, asking, errors = await connect(), await connect(), Inbox()
    client.on_error(errors)

    @client.serve("a")
    def refuse(header: MessageHeader, payload: Any) -> Any:
        if payload == "known":
            raise BrokerError("INVALID_REQUEST", "no such sku", details={"sku": 1})
        raise KeyError("sku")

    await client.services()
    with pytest.raises(BrokerError, match="no such sku") as caught:
        await asking.request("a", "known")
    assert (caught.value.code, caught.value.details) == ("INVALID_REQUEST", {"sku": 1})
    with pytest.raises(BrokerError, match="INTERNAL_ERROR: KeyError: 'sku'"):
        await asking.request("a", "other")
    assert [type(error) for error in errors.payloads] == [KeyError]


async def test_an_answer_that_cannot_be_sent_is_an_error(connect: Connect) -> None:
    """What is no JSON, or too long, does not leave the other side waiting."""
    client, errors = await connect(), Inbox()
    client.on_error(errors)
    answers = iter([{1, 2}, "a" * 20_000])
    client.serve("a")(lambda header, payload: next(answers))
    for _ in range(2):
        with pytest.raises(BrokerError, match="INTERNAL_ERROR"):
            await client.request("a")
    assert [type(error) for error in errors.payloads] == [InvalidMessage] * 2


async def test_on_message_may_answer(connect: Connect) -> None:
    """A handler of all messages answers with what it returns, or later with respond, and once only."""
    client, asking, later = await connect(), await connect(), Inbox()
    await client.subscribe("now")
    await client.subscribe("later")

    @client.on_message
    def answer(header: MessageHeader, payload: Any) -> Any:
        if header.topic == "now":
            return {"at": "once"}
        return later(header)

    assert await asking.request("now") == {"at": "once"}
    asked = asyncio.create_task(asking.request("later"))
    (header,) = await later.has(1)
    await client.respond(header, {"at": "last"})
    assert await asked == {"at": "last"}
    with pytest.raises(ConnectionError, match="answered"):
        await client.respond(header)
    with pytest.raises(InvalidMessage):
        await client.respond(MessageHeader("publish", "now", "1.0.0", None))


async def test_nobody_handles_a_request(connect: Connect) -> None:
    """A request for which there is no handler is refused at once, not left to time out."""
    client = await connect()
    await client.subscribe("a")
    with pytest.raises(ServiceUnavailable):
        await client.request("a")
    assert client.stats.unhandled == 1


async def test_requests_to_nobody(connect: Connect) -> None:
    """A topic that nobody serves is an error; who subscribes to what is published does not count."""
    client = await connect()
    await client.subscribe("a", action="publish")
    with pytest.raises(NoRouteFound):
        await client.request("a")


async def test_the_highest_priority_answers(connect: Connect) -> None:
    """Of several the broker asks the one with the highest priority."""
    low, high = await connect(), await connect()
    low.serve("a", priority=1)(lambda header, payload: "low")
    high.serve("a", priority=2)(lambda header, payload: "high")
    await asyncio.gather(low.services(), high.services())
    assert [await low.request("a") for _ in range(10)] == ["high"] * 10


@pytest.mark.parametrize("mute", [False, True])
async def test_timeouts_are_kept(connect: Connect, broker: Broker, mute: bool) -> None:
    """A request without an answer ends within ten percent of its time, even if the broker says nothing."""
    client = await connect()
    await client.subscribe("a")
    client.on_message(lambda header, payload: None)
    broker.mute = mute
    start = time.monotonic()
    asked = asyncio.create_task(client.request("a", timeout=500))
    too_late = asyncio.create_task(asyncio.sleep(0.55))  # not by the clock: a busy machine delays both
    await asyncio.wait([asked, too_late], return_when=asyncio.FIRST_COMPLETED)
    assert asked.done()
    assert time.monotonic() - start >= 0.45
    with pytest.raises(RequestTimeout) as caught:
        await asked
    assert isinstance(caught.value, TimeoutError)
    too_late.cancel()


@pytest.mark.parametrize("timeout", [0, -1, 3_600_001, True, 1.5])
async def test_bad_timeouts_are_refused(connect: Connect, timeout: Any) -> None:
    """What the broker would not take as a timeout is refused."""
    client = await connect()
    for call in (client.request("a", timeout=timeout), client.publish("a", timeout=timeout)):
        with pytest.raises(InvalidMessage, match="timeout"):
            await call


async def test_what_the_broker_is_asked(connect: Connect, broker: Broker) -> None:
    """A request carries its id, its parent and its timeout in their places."""
    client = await connect()
    parent = "72b1759c-0f0e-4c7a-9f0a-2b9c8b0c1d2e"
    with pytest.raises(NoRouteFound):
        await client.request("a.b", {"c": 1}, timeout=700, parent_id=parent, version="1.2.3")
    fields = broker.seen[-1].partition("\n")[0].split(":")
    assert [*fields[:3], *fields[4:]] == ["request", "a.b", "1.2.3", parent, "700"]
    assert broker.seen[-1].endswith('\n{"c": 1}')


async def test_a_thousand_requests_at_once(connect: Connect) -> None:
    """Each of a thousand requests that wait together gets its own answer, in whatever order they come."""
    client, asking, waiting = await connect(), await connect(inbox=2_000), Inbox()
    all_there = asyncio.Event()

    @client.serve("double", concurrency=1_000)
    async def double(header: MessageHeader, payload: Any) -> Any:
        waiting(payload)
        if len(waiting.payloads) == 1_000:
            all_there.set()
        await all_there.wait()
        await asyncio.sleep((payload * 7919 % 13) / 1_000)
        return payload * 2

    await client.services()
    answers = await asyncio.gather(*[asking.request("double", number) for number in range(1_000)])
    assert answers == [number * 2 for number in range(1_000)]


async def test_late_and_unknown_answers_are_dropped(connect: Connect, broker: Broker) -> None:
    """An answer after its time, a second one, and one to nothing are counted, and resolve no other request."""
    client, inbox = await connect(), Inbox()
    await client.subscribe("a")
    client.on_message(lambda header, payload: inbox(header))
    broker.mute = True
    with pytest.raises(RequestTimeout):
        await client.request("a", timeout=20)
    late = broker.seen[-1].split(":")[3]
    broker.mute = False
    asked = asyncio.create_task(client.request("a"))
    (header,) = await inbox.has(1)
    peer = broker.peers[0]
    for identifier in (late, "00000000-0000-4000-8000-000000000000"):
        peer.send(f'response:a:1.0.0:{identifier}\n{{"whose": "not yours"}}')
    await client.respond(header, {"whose": "yours"})
    assert await asked == {"whose": "yours"}
    answered = next(text for text in reversed(broker.seen) if text.startswith("request:a")).split(":")[3]
    peer.send(f'response:a:1.0.0:{answered}\n{{"whose": "second"}}')
    await client.services()
    assert (client.stats.late, client.stats.unknown) == (1, 2)


async def test_a_request_that_is_cancelled_leaves_nothing(connect: Connect, broker: Broker) -> None:
    """The answer to a request of a task that was cancelled is late."""
    client, inbox = await connect(), Inbox()
    await client.subscribe("a")
    client.on_message(lambda header, payload: inbox(header))
    asked = asyncio.create_task(client.request("a"))
    (header,) = await inbox.has(1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await client.respond(header)
    await client.services()
    assert client.stats.late == 1


async def test_the_broker_throws_out_the_oldest_request(connect: Connect, broker: Broker) -> None:
    """A broker that is full says so with a wrong id; the oldest request of the topic ends with it."""
    broker.max_outstanding = 2
    client = await connect()
    await client.subscribe("a")
    client.on_message(lambda header, payload: None)
    asked = [asyncio.create_task(client.request("a", number)) for number in range(3)]
    with pytest.raises(ServiceUnavailable, match="busy"):
        await asked[0]
    assert not asked[1].done()
    assert not asked[2].done()
    for task in asked:
        task.cancel()


@pytest.mark.parametrize(
    "text", ["publish:a:1.0.0", "response:a:1.0.0:7\n{}", "publish:a.#:1.0.0\n{}", "publish:a:1.0.0\n" + "[" * 5_000]
)
async def test_malformed_messages_are_told_and_survived(connect: Connect, broker: Broker, text: str) -> None:
    """What is no message is counted and told to the error handlers; the connection goes on."""
    client, errors = await connect(), Inbox()
    client.on_error(errors)
    broker.peers[0].send(text)
    await errors.has(1)
    assert await client.services()
    assert (client.stats.malformed, client.stats.reconnects) == (1, 0)


async def test_an_error_without_id_is_told(connect: Connect, broker: Broker) -> None:
    """What the broker answers to a message that it could not read belongs to nobody, and is told."""
    client, errors = await connect(), Inbox()
    client.on_error(errors)
    broker.peers[0].send('response:error:1.0.0\n{"error":{"code":"MALFORMED_MESSAGE","message":"no"}}')
    assert str((await errors.has(1))[0]) == "MALFORMED_MESSAGE: no"


async def test_over_tls(protocol: Protocol, broker: Broker, certificates: Certificates) -> None:
    """With an authority to trust, a client talks over TLS; without one it does not."""
    async with listening(protocol, broker, certificates.server) as port:
        async with MessageBrokerClient(protocol, use_tls=True, ca=certificates.authority) as client:
            await client.connect("localhost", port)
            await client.subscribe("a")
            await client.publish("a")
        async with MessageBrokerClient(protocol) as client:
            with pytest.raises(ConnectionFailed):
                await client.connect("localhost", port, use_tls=True)


async def test_what_is_no_broker(protocol: Protocol, broker: Broker, port: int) -> None:
    """A server that never answers is not taken for one."""
    broker.mute = True
    async with MessageBrokerClient(protocol, connect_timeout=0.5) as client:
        with pytest.raises(RequestTimeout):
            await client.connect("127.0.0.1", port)


async def test_before_and_after(protocol: Protocol, port: int) -> None:
    """Nothing can be sent before connect() and after close(); closing twice is well."""
    client = MessageBrokerClient(protocol)
    with pytest.raises(ConnectionFailed):
        await client.connect("127.0.0.1", 1)
    with pytest.raises(ClientClosed):
        await client.publish("a")
    with pytest.raises(ClientClosed):
        await client.run()
    await client.connect("127.0.0.1", port)
    with pytest.raises(ClientClosed):
        await client.connect("127.0.0.1", port)
    await client.close()
    await client.close()
    with pytest.raises(ClientClosed):
        await client.request("a")
    await client.run()


def test_protocols_are_two() -> None:
    """Another word is refused where it is given."""
    with pytest.raises(ValueError, match="udp"):
        MessageBrokerClient("udp")  # type: ignore[arg-type]  # that is the point


async def test_handlers_outlive_their_errors(connect: Connect) -> None:
    """A handler that raises, or lets itself be cancelled, does not end the delivery of its topic."""
    client, errors, inbox = await connect(), Inbox(), Inbox()
    client.on_error(errors)
    await client.subscribe("a")

    @client.on_message
    def handler(header: MessageHeader, payload: Any) -> None:
        if payload == 1:
            raise asyncio.CancelledError
        if payload == 2:
            raise ValueError("two")
        inbox(payload)

    for number in (1, 2, 3):
        await client.publish("a", number, confirm=False)
    assert await inbox.has(1) == [3]
    assert [type(error) for error in errors.payloads] == [asyncio.CancelledError, ValueError]
