"""What the broker does with messages: routes them, answers its own topics, and forgets who is silent."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .wire import Fault, Message, compose, parse

SUCCESS = '{"status":"success"}'
FAILURE = '{"status":"failure"}'
SUBSCRIBABLE = (
    "system.log",
    "system.message",
    "system.service.register",
    "system.topic.subscribe",
    "system.topic.unsubscribe",
)
DEFAULT_TIMEOUT = 5000


@dataclass(eq=False)
class Peer:
    """A connection: how to send to it and how to end it."""

    send: Callable[[str], None]
    end: Callable[[], None]
    outlives_silence: bool
    id: str = field(default_factory=lambda: str(uuid4()))
    name: str = ""
    description: str = ""
    log_levels: list[str] | None = None
    zombie: bool = False
    silence: asyncio.TimerHandle | None = None
    asked: bool = False


@dataclass(eq=False)
class Outstanding:
    """A request that was passed on."""

    requester: Peer
    message: Message
    timer: asyncio.TimerHandle | None


class Broker:
    """The stand-in.

    Attributes:
        seen: the messages that arrived, the last ones where there are many.
        peers: who is connected.
        published: publishes that were passed on.
        mute: whether it reads and does nothing, like one that hangs.
        on_message: what tests may be told of each message that arrives.
    """

    def __init__(self, *, heartbeat: float = 30.0, max_outstanding: int = 100_000, remember: int = 10_000) -> None:
        self.heartbeat = heartbeat
        self.max_outstanding = max_outstanding
        self.seen: deque[str] = deque(maxlen=remember)
        self.peers: list[Peer] = []
        self.published = 0
        self.mute = False
        self.arrived = asyncio.Event()
        self.subscribers: dict[tuple[str, str], dict[Peer, float]] = {}
        self.outstanding: dict[str, Outstanding] = {}

    def connect(self, peer: Peer) -> None:
        """Welcome a connection."""
        self.peers.append(peer)
        if not self.mute:
            peer.send("publish:system.initialize:1.0.0\n{}")
        self._listen(peer)

    def disconnect(self, peer: Peer) -> None:
        """Forget a connection; who waits for its answers still does."""
        if peer in self.peers:
            self.peers.remove(peer)
        if peer.silence:
            peer.silence.cancel()
        self._forget(peer)

    def receive(self, peer: Peer, text: str) -> None:
        """Take a message."""
        self.seen.append(text)
        self.arrived.set()
        if self.mute:
            return
        self._listen(peer)
        try:
            message = parse(text)
        except Fault as fault:
            peer.send(compose("response", "error", "1.0.0", "", fault.payload()))
            return
        try:
            if message.action == "publish":
                self._publish(peer, message)
            elif message.action == "response":
                self._respond(message)
            elif not peer.zombie:
                self._request(peer, message)
        except Fault as fault:
            identifier = message.id or str(uuid4())
            peer.send(compose("response", message.topic, message.version, identifier, fault.payload()))

    async def saw(self, text: str) -> None:
        """Wait until a message that contains this arrives, or has arrived."""
        while not any(text in message for message in self.seen):
            self.arrived.clear()
            await self.arrived.wait()

    def log(self, level: str, message: str) -> None:
        """Write an entry, and show it to who subscribes."""
        entry = json.dumps({"module": "Router", "level": level, "message": message})
        for peer in self.peers:
            if peer.log_levels and level in peer.log_levels:
                peer.send(compose("response", "system.log", "1.0.0", "", entry))

    # Routing

    def _publish(self, peer: Peer, message: Message) -> None:
        subscribers = self.subscribers.get((message.topic.lower(), "publish"))
        if not subscribers:
            raise Fault("NO_ROUTE_FOUND", f"No subscribers for topic {message.topic}")
        self.published += 1
        for subscriber in list(subscribers):
            copy = compose("publish", message.topic, message.version, str(uuid4()), message.payload)
            subscriber.send(copy)
            self._show(subscriber, message)
        if message.id:
            peer.send(compose("response", message.topic, message.version, message.id, SUCCESS))

    def _show(self, to: Peer, message: Message) -> None:
        for watcher in self.subscribers.get(("system.message", "publish"), {}):
            header = {"action": message.action, "topic": message.topic, "version": message.version}
            shown = {"to": to.id, "message": {"header": header, "payload": {"type": "Buffer", "data": []}}}
            watcher.send(compose("publish", "system.message", "1.0.0", str(uuid4()), json.dumps(shown)))

    def _request(self, peer: Peer, message: Message) -> None:
        if message.topic.startswith("system."):
            answer = self._system(peer, message)
            peer.send(compose("response", message.topic, message.version, message.id, answer))
            return
        subscribers = self.subscribers.get((message.topic.lower(), "request"))
        if not subscribers:
            raise Fault("NO_ROUTE_FOUND", f"No subscribers for topic {message.topic}")
        if len(self.outstanding) >= self.max_outstanding:
            self._evict()
        best = max(subscribers.values())
        responder = random.choice([one for one, priority in subscribers.items() if priority == best])
        identifier = str(uuid4())
        timer = None
        if message.id:
            seconds = (message.timeout or DEFAULT_TIMEOUT) / 1000
            timer = asyncio.get_running_loop().call_later(seconds, self._expire, identifier, responder)
        self.outstanding[identifier] = Outstanding(peer, message, timer)
        responder.send(compose("request", message.topic, message.version, identifier, message.payload))

    def _respond(self, message: Message) -> None:
        if message.topic == "system.heartbeat":
            return
        there = self.outstanding.pop(message.id, None)
        if there is None:
            raise Fault("INVALID_REQUEST_ID", f"No matching request found for response with request ID {message.id}")
        if there.timer:
            there.timer.cancel()
        if there.message.id:
            self._answer(there, message.version, message.payload)

    def _expire(self, identifier: str, responder: Peer) -> None:
        there = self.outstanding.pop(identifier)
        fault = Fault("TIMEOUT", "Request timed out", targetServiceId=responder.id)
        self._answer(there, there.message.version, fault.payload())

    def _evict(self) -> None:
        """Throw the oldest out, and say so with the wrong id, as the real one does."""
        there = self.outstanding.pop(next(iter(self.outstanding)))
        if there.timer:
            there.timer.cancel()
        fault = Fault("SERVICE_UNAVAILABLE", "Message broker is busy")
        header = there.message
        there.requester.send(compose("response", header.topic, header.version, there.requester.id, fault.payload()))

    def _answer(self, there: Outstanding, version: str, payload: str) -> None:
        if there.requester in self.peers:
            there.requester.send(compose("response", there.message.topic, version, there.message.id, payload))

    # Silence

    def _listen(self, peer: Peer) -> None:
        """Take note that a peer says something; the timer is set anew only where that makes a difference."""
        loop = asyncio.get_running_loop()
        if peer.silence is None or peer.asked or peer.silence.when() < loop.time() + self.heartbeat * 0.9:
            if peer.silence:
                peer.silence.cancel()
            peer.silence = loop.call_later(self.heartbeat, self._ask, peer)
            peer.asked = False

    def _ask(self, peer: Peer) -> None:
        peer.asked = True
        peer.send("request:system.heartbeat:1.0.0\n{}")
        peer.silence = asyncio.get_running_loop().call_later(self.heartbeat, self.deregister, peer)

    def deregister(self, peer: Peer) -> None:
        """Forget a service that is silent: a WebSocket stays as a zombie, TCP is ended."""
        self._forget(peer)
        peer.zombie = True
        if not peer.outlives_silence:
            peer.end()

    def _forget(self, peer: Peer) -> None:
        for key, subscribers in list(self.subscribers.items()):
            subscribers.pop(peer, None)
            if not subscribers:
                del self.subscribers[key]

    # The broker's own topics

    def _system(self, peer: Peer, message: Message) -> str:
        try:
            payload = json.loads(message.payload)
        except json.JSONDecodeError as exc:
            raise Fault("INTERNAL_ERROR", "Unexpected end of JSON input") from exc
        answers: dict[str, Callable[[Peer, dict[str, Any]], str]] = {
            "system.heartbeat": lambda peer, payload: "{}",
            "system.service.register": self._register,
            "system.service.list": self._list_services,
            "system.service.subscriptions": self._list_subscriptions,
            "system.topic.subscribe": self._subscribe,
            "system.topic.unsubscribe": self._unsubscribe,
            "system.topic.list": self._list_topics,
            "system.log.subscribe": self._subscribe_logs,
            "system.log.unsubscribe": self._unsubscribe_logs,
            "system.metrics": self._metrics,
        }
        answer = answers.get(message.topic)
        if answer is None:
            raise Fault("TOPIC_NOT_SUPPORTED", f"Topic {message.topic} is not supported")
        return answer(peer, payload)

    def _register(self, peer: Peer, payload: dict[str, Any]) -> str:
        name, description = payload.get("name"), payload.get("description")
        if not name or not description or len(name) > 36 or len(description) > 1024:
            raise Fault("INVALID_REQUEST", "Missing or invalid name or description")
        peer.name, peer.description = name, description
        return SUCCESS

    def _subscribe(self, peer: Peer, payload: dict[str, Any]) -> str:
        action, topic = payload.get("action"), payload.get("topic")
        if action == "response":
            return FAILURE
        if action not in ("publish", "request"):
            raise Fault("INVALID_REQUEST", "Missing or invalid action")
        if not isinstance(topic, str) or parse_topic(topic) is None:
            raise Fault("INVALID_REQUEST", "Missing or invalid topic")
        if topic.startswith("system.") and topic not in SUBSCRIBABLE:
            raise Fault("INVALID_REQUEST", "Missing or invalid topic")
        self.subscribers.setdefault((topic.lower(), action), {})[peer] = payload.get("priority", 0)
        return SUCCESS

    def _unsubscribe(self, peer: Peer, payload: dict[str, Any]) -> str:
        action, topic = payload.get("action"), payload.get("topic")
        if action not in ("publish", "request") or not isinstance(topic, str) or topic == "system.message":
            raise Fault("INVALID_REQUEST", "Missing or invalid action or topic")
        subscribers = self.subscribers.get((topic.lower(), action), {})
        if subscribers.pop(peer, None) is None:
            return FAILURE
        if not subscribers:
            del self.subscribers[topic.lower(), action]
        return SUCCESS

    def _list_services(self, peer: Peer, payload: dict[str, Any]) -> str:
        when = "2026-11-20T18:12:02.743Z"
        services = [
            {"id": one.id, "name": one.name, "description": one.description, "connectedAt": when, "lastHeartbeat": when}
            for one in self.peers
        ]
        return json.dumps({"services": services})

    def _list_subscriptions(self, peer: Peer, payload: dict[str, Any]) -> str:
        wanted = payload.get("serviceId", peer.id)
        found = [
            {"action": action, "topic": topic, "priority": priority}
            for (topic, action), subscribers in self.subscribers.items()
            for one, priority in subscribers.items()
            if one.id == wanted
        ]
        return json.dumps({"subscriptions": found})

    def _list_topics(self, peer: Peer, payload: dict[str, Any]) -> str:
        topics = [
            {
                "action": action,
                "topic": topic,
                "subscribers": [{"serviceId": one.id, "priority": priority} for one, priority in subscribers.items()],
            }
            for (topic, action), subscribers in self.subscribers.items()
        ]
        return json.dumps({"topics": topics})

    def _subscribe_logs(self, peer: Peer, payload: dict[str, Any]) -> str:
        peer.log_levels = payload.get("levels", ["error"])
        return SUCCESS

    def _unsubscribe_logs(self, peer: Peer, payload: dict[str, Any]) -> str:
        peer.log_levels = None
        return SUCCESS

    def _metrics(self, peer: Peer, payload: dict[str, Any]) -> str:
        figures = {"router.publish.count": self.published, "registry.count": len(self.peers)}
        if not payload.get("showAll"):
            return json.dumps({"metrics": figures})
        return json.dumps(
            {
                name: {"name": name, "type": "gauge", "timestamp": "2026-11-20T18:12:02.743Z", "value": value}
                for name, value in figures.items()
            }
        )


def parse_topic(topic: str) -> str | None:
    """Return a topic that the broker takes, else None."""
    try:
        return parse(f"publish:{topic}:1.0.0\n").topic
    except Fault:
        return None
