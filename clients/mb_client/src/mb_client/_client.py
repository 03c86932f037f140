"""The client: publish, subscribe, request and serve, over a connection that is kept standing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeVar
from uuid import uuid4

from ._backoff import Backoff
from ._engine import SYSTEM_TIMEOUT, VERSION, Engine, Handler, Served, Settings, failure, system_request
from ._exceptions import InvalidMessage, MalformedMessage
from ._header import MessageHeader, topic_fault
from ._inbox import Overflow
from ._link import Address
from ._message import MAX_PAYLOAD
from ._subscriptions import (
    LOG_SUBSCRIBE,
    LOG_UNSUBSCRIBE,
    REGISTER,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Action,
    Subscription,
    actions_of,
)
from ._system import LOG, MESSAGE, SystemTopics
from ._tcp import TCPSocketClient
from ._transport import CONNECT_TIMEOUT, Transport
from ._websocket import WebSocketClient

TRANSPORTS: Final[Mapping[str, type[Transport]]] = {"ws": WebSocketClient, "tcp": TCPSocketClient}

BACKOFF: Final = Backoff()

MAX_NAME: Final = 36
MAX_DESCRIPTION: Final = 1024

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Stats:
    """What a client has done so far.

    Attributes:
        received: messages that arrived.
        malformed: those that were none.
        dropped: messages for which there was no room in the inbox.
        unhandled: messages for which there was no handler, or no time before the close.
        late: answers that came after their request was given up.
        unknown: answers to nothing that was asked, or answered already.
        stale: answers of this side that could not be given: the connection that asked is gone.
        resent: messages that were sent again, because they were idempotent.
        pauses: how often reading was paused because handlers were slow.
        reconnects: how often the connection was restored.
    """

    received: int
    malformed: int
    dropped: int
    unhandled: int
    late: int
    unknown: int
    stale: int
    resent: int
    pauses: int
    reconnects: int


class MessageBrokerClient(SystemTopics):
    """A service at an MB message broker.

    Every method belongs to one event loop. Handlers may be plain functions or coroutine functions.
    """

    def __init__(
        self,
        protocol: Literal["ws", "tcp"] = "ws",
        *,
        use_tls: bool = False,
        ca: str | Path | None = None,
        reconnect: Backoff | None = BACKOFF,
        offline: Literal["wait", "fail"] = "wait",
        outbox: int = 1000,
        inbox: int = 1000,
        overflow: Overflow = "wait",
        heartbeat: float = 20.0,
        heartbeat_timeout: float = 10.0,
        max_payload: int = MAX_PAYLOAD,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        """Make a client that is not connected yet.

        Args:
            protocol: WebSocket or TCP; the broker listens for both, on different ports.
            use_tls: connect over TLS.
            ca: the PEM file of the authority that signed the broker's certificate; None for those of the system.
            reconnect: the waits between attempts to connect again; None for no second connection.
            offline: whether what is sent without a connection waits for one, or raises `NotConnected`.
            outbox: how many messages may wait to be sent. Where they cannot be sent quickly enough callers wait for
                room; without a connection they get `QueueFull`.
            inbox: how many messages may wait for their handlers.
            overflow: what happens when these are more: ``wait`` reads no further until half of it is free,
                ``drop_newest`` and ``drop_oldest`` (of the same topic) drop one; a request that is dropped is
                answered with SERVICE_UNAVAILABLE.
            heartbeat: seconds between questions for a sign of life; the broker forgets who says nothing for 60.
            heartbeat_timeout: seconds for its answer, after which the connection is given up.
            max_payload: bytes of a payload that the broker reads, where it was told another number.
            connect_timeout: seconds until a connection, TLS included, must stand, and again until it is restored.
        """
        if protocol not in TRANSPORTS:
            raise ValueError(f"protocol {protocol!r}: not one of {', '.join(TRANSPORTS)}")
        engine = Settings(
            make_transport=lambda: TRANSPORTS[protocol](ca=ca, connect_timeout=connect_timeout),
            reconnect=reconnect,
            offline=offline,
            outbox=outbox,
            inbox=inbox,
            overflow=overflow,
            heartbeat=heartbeat,
            heartbeat_timeout=heartbeat_timeout,
            max_payload=max_payload,
            connect_timeout=connect_timeout,
        )
        self._engine = Engine(engine)
        self._use_tls = use_tls
        self._subscribing = asyncio.Lock()
        self._announcing: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> MessageBrokerClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(drain=kind is None)

    # The connection

    async def connect(self, host: str, port: int, use_tls: bool | None = None) -> None:
        """Connect to the broker; from then on the connection is restored whenever it breaks.

        Args:
            host: its name, or address.
            port: which of its ports: it has one each for WebSocket and TCP, with TLS and without.
            use_tls: connect over TLS, whatever the client was made with.

        Raises:
            ConnectionFailed: no connection could be made, or its certificate was not accepted.
            ConnectionLost: the broker hung up at once.
            RequestTimeout: what answers is no broker.
        """
        await self._engine.connect(Address(host, port, self._use_tls if use_tls is None else use_tls))

    async def run(self) -> None:
        """Wait until the client is closed.

        Raises:
            ConnectionLost: the connection broke and could not be made again.
        """
        await self._engine.run()

    async def close(self, *, drain: bool = True, timeout: float = 5.0) -> None:
        """Leave the broker; nothing happens if that was done.

        Args:
            drain: first handle what the broker has sent so far, send what waits, and wait for the answers to it. What
                arrives meanwhile is not handled any more: requests are answered with SERVICE_UNAVAILABLE. Without a
                connection there is nothing to wait for.
            timeout: seconds for that.
        """
        await self._engine.close(timeout if drain else 0)

    @property
    def connected(self) -> bool:
        """Whether a connection stands, with everything restored."""
        return self._engine.outbox.is_open

    @property
    def stats(self) -> Stats:
        """What the client has done so far."""
        engine = self._engine
        return Stats(
            received=engine.counters.received,
            malformed=engine.counters.malformed,
            dropped=engine.inbox.dropped,
            unhandled=engine.counters.unhandled,
            late=engine.calls.late,
            unknown=engine.calls.unknown,
            stale=engine.counters.stale,
            resent=engine.counters.resent,
            pauses=engine.inbox.pauses,
            reconnects=engine.link.reconnects if engine.link else 0,
        )

    # What a service says of itself

    async def register_service(self, name: str, description: str) -> None:
        """Tell the broker who this is, on this connection and on those after it.

        Raises:
            InvalidMessage: the name has more than 36 characters, the description more than 1024, or one is empty.
        """
        for what, text, most in (("name", name, MAX_NAME), ("description", description, MAX_DESCRIPTION)):
            if not 0 < len(text) <= most:
                raise InvalidMessage(f"a service's {what} of {len(text)} characters: from 1 to {most} are allowed")
        service = {"name": name, "description": description}
        await self._command(REGISTER, service)
        self._engine.memory.service = service

    async def subscribe(self, topic: str, priority: float = 1, action: Action = "both") -> None:
        """Have messages of a topic sent to this client, on this connection and on those after it.

        Args:
            topic: which; without wildcards.
            priority: of those who subscribe to requests the one with the highest is asked.
            action: what of it: what is published, requests, or both; of the broker's own topics there are no requests.

        Raises:
            InvalidMessage: not a topic.
            BrokerError: the broker refuses.
        """
        if fault := topic_fault(topic):
            raise InvalidMessage(fault)
        for one in actions_of(topic, action):
            await self._subscribe(Subscription(topic, one, priority))

    async def unsubscribe(self, topic: str) -> None:
        """Have no more messages of a topic sent to this client; nothing happens if there were none."""
        wanted = [one for one in self._engine.memory.subscriptions.values() if one.key[0] == topic.lower()]
        for subscription in wanted:
            del self._engine.memory.subscriptions[subscription.key]
            await self._ask(UNSUBSCRIBE, {"action": subscription.action, "topic": subscription.topic})

    async def subscribe_logs(
        self, handler: Callable[[Any], Any], levels: Sequence[str] = ("error",), regex: str | None = None
    ) -> None:
        """Have the broker's log sent here, entry by entry.

        Args:
            handler: called with each entry: a dict with level, message, module, timestamp and more.
            levels: of ``debug``, ``info``, ``warn`` and ``error``.
            regex: what the broker compares entries with.
        """
        wanted: dict[str, Any] = {"levels": list(levels)}
        if regex is not None:
            wanted["regex"] = regex
        self._engine.topic_handlers[LOG] = lambda header, payload: handler(payload)
        await self._command(LOG_SUBSCRIBE, wanted)
        self._engine.memory.logs = wanted

    async def unsubscribe_logs(self) -> None:
        """Have no more of the log sent here."""
        self._engine.memory.logs = None
        await self._ask(LOG_UNSUBSCRIBE)

    async def subscribe_messages(self, handler: Callable[[Any], Any]) -> None:
        """Have every message that the broker relays shown here, until the client is closed: there is no way back.

        Args:
            handler: called with each: a dict with timestamp, from or to, and message.
        """
        self._engine.topic_handlers[MESSAGE] = lambda header, payload: handler(payload)
        await self._subscribe(Subscription(MESSAGE, "publish", 1))

    # Messages

    async def publish(
        self,
        topic: str,
        payload: Any = None,
        *,
        version: str = VERSION,
        confirm: bool = True,
        idempotent: bool = False,
        timeout: int = 30_000,
    ) -> None:
        """Publish a message.

        Args:
            topic: to whose subscribers.
            payload: what can be written as JSON; None for an empty object.
            version: of the payload's format.
            confirm: wait until the broker has passed it on; else return when it waits to be sent, and learn nothing.
            idempotent: if the connection breaks before the confirmation, publish it again on the next one:
                subscribers may get it twice.
            timeout: milliseconds for all of that.

        Raises:
            InvalidMessage: the broker would not take it.
            NoRouteFound: nobody subscribes to the topic.
            ConnectionLost: the connection broke before the confirmation; subscribers may have got it.
            RequestTimeout: no confirmation in time.
            NotConnected, QueueFull, ClientClosed: it was not sent.
        """
        if confirm:
            header = MessageHeader("publish", topic, version, str(uuid4()))
            await self._announced()
            await self._engine.call(header, payload, timeout, idempotent=idempotent)
        else:
            header = MessageHeader("publish", topic, version, None)
            await self._announced()
            await self._engine.put(self._engine.outgoing(header, payload))

    async def request(
        self,
        topic: str,
        payload: Any = None,
        response_handler: Callable[[Any], Any] | None = None,
        timeout: int = 30_000,
        *,
        version: str = VERSION,
        parent_id: str | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Ask whoever serves a topic.

        Args:
            topic: which.
            payload: what can be written as JSON; None for an empty object.
            response_handler: called with the answer's payload.
            timeout: milliseconds for the answer.
            version: of the payload's format.
            parent_id: the id of the request that made this one necessary; for the broker's own use.
            idempotent: if the connection breaks before the answer, ask again on the next one.

        Returns:
            the answer's payload.

        Raises:
            InvalidMessage: the broker would not take it.
            BrokerError: the answer is an error: `NoRouteFound`, `RequestTimeout`, or what the service says.
            ConnectionLost: the connection broke before the answer.
            NotConnected, QueueFull, ClientClosed: it was not sent.
        """
        header = MessageHeader("request", topic, version, str(uuid4()), parent_id, timeout)
        await self._announced()
        answer = await self._engine.call(header, payload, timeout, idempotent=idempotent)
        if response_handler is not None:
            handled = response_handler(answer)
            if inspect.isawaitable(handled):
                await handled
        return answer

    async def respond(self, header: MessageHeader, payload: Any = None) -> None:
        """Answer a request, once.

        Args:
            header: the request's.
            payload: the answer, or the `BrokerError` that is the answer.

        Raises:
            InvalidMessage: it is no request, was answered, or the answer cannot be sent.
            ConnectionLost: the connection that asked is gone, and nobody can be answered.
        """
        self._engine.respond(header, payload)

    def serve(self, topic: str, priority: float = 1, concurrency: int = 100) -> Callable[[H], H]:
        """Decorate what answers a topic's requests: what it returns, or raises, goes back.

        It is subscribed by ``connect()``, or on a connection before anything else is sent, and again on every one after
        it. What the broker refuses is told to the error handlers.

        Args:
            topic: which.
            priority: of those who serve a topic the one with the highest is asked.
            concurrency: how many requests are handled at a time.
        """
        if fault := topic_fault(topic):
            raise InvalidMessage(fault)

        def register(handler: H) -> H:
            self._engine.served[topic.lower()] = Served(handler, concurrency)
            subscription = Subscription(topic, "request", priority)
            if self._engine.link is None:
                self._engine.memory.subscriptions[subscription.key] = subscription
            else:
                task = self._engine.start(self._subscribe(subscription))
                self._announcing.add(task)
                task.add_done_callback(self._announcing.discard)
            return handler

        return register

    def on_message(self, handler: Handler) -> Handler:
        """Register what is called with the header and payload of each message that has no handler of its own.

        Messages of one topic are handled one after the other, in the order in which they arrived. What the handler of
        a request returns, if not None, is its answer; ``respond()`` may give it later.
        """
        self._engine.handlers.append(handler)
        return handler

    def on_connect(self, handler: Callable[[], Any]) -> None:
        """Register what is called when a connection stands, with everything restored."""
        self._engine.connect_handlers.append(handler)

    def on_disconnect(self, handler: Callable[[], Any]) -> None:
        """Register what is called when a connection has ended."""
        self._engine.disconnect_handlers.append(handler)

    def on_error(self, handler: Callable[[Exception], Any]) -> None:
        """Register what is called with what goes wrong outside of a call; without one it is logged."""
        self._engine.error_handlers.append(handler)

    async def _announced(self) -> None:
        """Wait until what is served is subscribed."""
        if self._announcing:
            await asyncio.wait(self._announcing)

    async def _ask(self, topic: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        await self._announced()
        return await self._tell(topic, payload)

    async def _tell(self, topic: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have the broker itself answer; on the next connection, if this one breaks."""
        answer = await self._engine.call(system_request(topic), payload, SYSTEM_TIMEOUT, idempotent=True)
        if not isinstance(answer, dict):
            raise MalformedMessage(f"the broker answers {topic} with no object")
        return answer

    async def _command(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Have the broker do something, and raise if it does not."""
        if error := failure(topic, payload, await self._tell(topic, payload)):
            raise error

    async def _subscribe(self, wanted: Subscription) -> None:
        """Subscribe to what is not subscribed to; where the priority is another one, anew."""
        async with self._subscribing:
            memory = self._engine.memory.subscriptions
            there = memory.get(wanted.key)
            if there is not None and there.priority == wanted.priority:
                return
            if there is not None:
                await self._tell(UNSUBSCRIBE, {"action": there.action, "topic": there.topic})
            await self._command(SUBSCRIBE, wanted.payload())
            memory[wanted.key] = wanted
