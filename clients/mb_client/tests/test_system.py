"""The broker's own topics: what it can be asked, its log, and the messages that it relays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mb_client import BrokerError, MalformedMessage, Subscriber, Topic

from .conftest import Connect, Inbox
from .standin.broker import Broker


async def test_services(connect: Connect, broker: Broker) -> None:
    """Every connection is listed; one that has not registered has no name."""
    client = await connect()
    await connect()
    await client.register_service("Orders", "Takes orders")
    first, second = await client.services()
    assert (first.id, first.name, first.description) == (broker.peers[0].id, "Orders", "Takes orders")
    assert first.connected_at.endswith("Z")
    assert (second.id, second.name) == (broker.peers[1].id, "")


async def test_topics_and_subscriptions(connect: Connect, broker: Broker) -> None:
    """Topics come with their subscribers, subscriptions of a service with their priority."""
    client, other = await connect(), await connect()
    await client.subscribe("a.b", 2)
    peer = broker.peers[0].id
    assert await other.topics() == [
        Topic("publish", "a.b", (Subscriber(peer, 2),)),
        Topic("request", "a.b", (Subscriber(peer, 2),)),
    ]
    assert await other.subscriptions() == []
    mine = [Topic("publish", "a.b", priority=2), Topic("request", "a.b", priority=2)]
    assert await client.subscriptions() == await other.subscriptions(peer) == mine


async def test_metrics(connect: Connect) -> None:
    """Figures come by name, or with their types and times."""
    client = await connect()
    assert (await client.metrics())["registry.count"] == 1
    assert (await client.metrics(show_all=True, parameters="x"))["registry.count"]["type"] == "gauge"


async def test_logs(connect: Connect, broker: Broker) -> None:
    """Entries of the levels that were asked for arrive, until they are not wanted any more."""
    client, inbox = await connect(), Inbox()
    await client.subscribe_logs(inbox, levels=["warn", "error"], regex=".*")
    assert json.loads(broker.seen[-1].partition("\n")[2]) == {"levels": ["warn", "error"], "regex": ".*"}
    for level in ("debug", "warn", "info", "error"):
        broker.log(level, f"a {level}")
    assert [entry["message"] for entry in await inbox.has(2)] == ["a warn", "a error"]
    assert client.stats.unknown == 0
    await client.unsubscribe_logs()
    broker.log("error", "more")
    await client.services()
    assert len(inbox.payloads) == 2


async def test_relayed_messages(connect: Connect) -> None:
    """What the broker relays is shown to who watches, and to no other handler; there is no way back."""
    client, watcher, shown, other = await connect(), await connect(), Inbox(), Inbox()
    watcher.on_message(other)
    await watcher.subscribe_messages(shown)
    await client.subscribe("a")
    await client.publish("a", 1)
    (message,) = await shown.has(1)
    assert message["message"]["header"]["topic"] == "a"
    assert not other.payloads
    with pytest.raises(BrokerError, match="INVALID_REQUEST"):
        await watcher.unsubscribe("system.message")


@pytest.mark.parametrize(
    ("answer", "topics"),
    [
        ({"topics": ["a.b"]}, [Topic("", "a.b")]),
        ({"topics": [{"topic": "a", "action": "request", "new": 1}]}, [Topic("request", "a")]),
        ({}, []),
    ],
)
async def test_answers_of_other_shapes(
    connect: Connect, broker: Broker, monkeypatch: pytest.MonkeyPatch, answer: Any, topics: list[Topic]
) -> None:
    """Texts in place of objects, as the broker's documents have it, fields that are new, and missing ones are read."""
    monkeypatch.setattr(broker, "_list_topics", lambda peer, payload: json.dumps(answer))
    assert await (await connect()).topics() == topics


@pytest.mark.parametrize("answer", [[], {"topics": 7}])
async def test_answers_that_are_none(
    connect: Connect, broker: Broker, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """What cannot be a list of topics is malformed."""
    monkeypatch.setattr(broker, "_list_topics", lambda peer, payload: json.dumps(answer))
    client = await connect()
    with pytest.raises(MalformedMessage):
        await client.topics()


async def test_a_refusal_without_a_reason(connect: Connect, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that says no more than failure is an error that says of what."""
    monkeypatch.setattr(broker, "_subscribe", lambda peer, payload: '{"status":"failure"}')
    client = await connect()
    with pytest.raises(BrokerError, match=r"FAILURE: .*system\.topic\.subscribe of a\.b"):
        await client.subscribe("a.b")
