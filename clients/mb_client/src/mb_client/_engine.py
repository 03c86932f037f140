"""The client's inside: what is sent finds its answer, what arrives finds its handler, and both outlive connections."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import uuid4

from ._backoff import Backoff
from ._calls import Calls, Outgoing
from ._exceptions import (
    BrokerError,
    ClientClosed,
    ConnectionLost,
    InvalidMessage,
    MalformedMessage,
    MessageBrokerError,
    NotConnected,
    RequestTimeout,
    ServiceUnavailable,
)
from ._header import MessageHeader, timeout_fault
from ._inbox import Delivery, Inbox, Overflow
from ._link import Address, Link
from ._message import create_message, error_payload, parse_message
from ._outbox import Outbox
from ._subscriptions import Memory
from ._system import HEARTBEAT, INITIALIZE, LOG
from ._transport import Transport, log

VERSION: Final = "1.0.0"

SYSTEM_TIMEOUT: Final = 5000
"""Milliseconds for an answer of the broker itself: as many as it gives services that are asked without a limit."""

ANSWERABLE: Final = 65_536
"""Requests that wait for an answer of this side; who sent older ones than these has long given up."""

Handler = Callable[[MessageHeader, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a client was made with; `MessageBrokerClient` says what each means and what it is by default."""

    make_transport: Callable[[], Transport]
    reconnect: Backoff | None
    offline: Literal["wait", "fail"]
    outbox: int
    inbox: int
    overflow: Overflow
    heartbeat: float
    heartbeat_timeout: float
    max_payload: int
    connect_timeout: float


@dataclass(slots=True)
class Counters:
    """What is counted here; `Stats` says what each means."""

    received: int = 0
    malformed: int = 0
    unhandled: int = 0
    stale: int = 0
    resent: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """What answers the requests of a topic, and how many at a time."""

    handler: Handler
    concurrency: int


class Engine:
    """One service's traffic with the broker: the `Owner` of its link."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.memory = Memory()
        self.calls = Calls()
        self.outbox = Outbox(settings.outbox)
        self.inbox = Inbox(
            settings.inbox,
            settings.overflow,
            handle=self._handle,
            drop=self._refuse,
            pause=self._pause,
            resume=self._resume,
        )
        self.link: Link | None = None
        self.handlers: list[Handler] = []
        self.topic_handlers: dict[str, Handler] = {}
        self.served: dict[str, Served] = {}
        self.connect_handlers: list[Callable[[], Any]] = []
        self.disconnect_handlers: list[Callable[[], Any]] = []
        self.error_handlers: list[Callable[[Exception], Any]] = []
        self._connection = 0
        self._answerable: dict[str, None] = {}
        self._tasks: set[asyncio.Future[Any]] = set()
        self._closing = False
        self._refusing = False
        self._end: asyncio.Future[None] | None = None

    # Beginning and end

    async def connect(self, address: Address) -> None:
        """Connect, once in a client's life; raises what `Link.connect` does."""
        if self.link is not None or self._closing:
            raise ClientClosed("connected already, or closed: a client connects once")
        self._end = asyncio.get_running_loop().create_future()
        self.link = Link(self, self.outbox, address, backoff=self.settings.reconnect, heartbeat=self.settings.heartbeat)
        try:
            await self.link.connect()
        except BaseException:
            self.link = self._end = None
            raise

    async def run(self) -> None:
        """Wait for the end."""
        if self._end is None:
            raise ClientClosed("not connected")
        await asyncio.shield(self._end)

    async def close(self, drain_for: float) -> None:
        """End it; before that, as long as this many seconds and a connection allow, finish what was begun."""
        if self._closing:
            return
        self._closing = True
        if drain_for and self.outbox.is_open:
            with suppress(asyncio.TimeoutError, TimeoutError, MessageBrokerError):
                await asyncio.wait_for(self._drain(), drain_for)
        await self.inbox.close()
        self.calls.fail_all(ClientClosed("the client was closed"))
        if self.link is not None:
            await self.link.close()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        self._finish(None)

    async def _drain(self) -> None:
        """Wait until what the broker has sent so far is handled, and what was sent to it is read and answered."""
        await self._turn_round()
        self._refusing = True
        await self.inbox.drain()
        await self._turn_round()
        await asyncio.gather(*self.calls.answers(), return_exceptions=True)

    async def _turn_round(self) -> None:
        """Wait for the answer to a heartbeat, before which all comes that was on its way in either direction."""
        last = self.outgoing(system_request(HEARTBEAT))
        answer = self._expect(last, SYSTEM_TIMEOUT)
        await self.outbox.put(last)
        with self.inbox.reading_on():
            await answer

    def _finish(self, error: MessageBrokerError | None) -> None:
        """Let ``run()`` return."""
        if self._end is None or self._end.done():
            return
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)
            self._end.exception()  # nobody needs to wait for it

    # Sending

    def outgoing(self, header: MessageHeader, payload: Any = None) -> Outgoing:
        """Return a message that may be sent, or raise `InvalidMessage`."""
        content = {} if payload is None else payload
        return Outgoing(create_message(header, content, max_payload=self.settings.max_payload), header)

    async def put(self, outgoing: Outgoing) -> None:
        """Have a message sent, on this connection or, as far as that is wanted, on the next."""
        if self.link is None or self._end is None or (self._closing and not self.inbox.is_inside()):
            raise ClientClosed("not connected yet, or closed")
        if self._end.done():
            raise NotConnected("there will be no connection any more")
        if self.settings.offline == "fail" and not self.outbox.is_open:
            raise NotConnected("no connection to the broker")
        await self.outbox.put(outgoing)

    async def call(self, header: MessageHeader, payload: Any, timeout: int, *, idempotent: bool) -> Any:
        """Have a message sent that is answered, and return the answer's payload, or raise what it says."""
        if fault := timeout_fault(timeout):
            raise InvalidMessage(fault)
        call = self.outgoing(header, payload)
        call.idempotent = idempotent
        answer = self._expect(call, timeout)
        try:
            await self.put(call)
            if not self.inbox.is_inside():
                return await answer
            with self.inbox.reading_on():
                return await answer
        finally:
            self.calls.give_up(call)

    async def call_at_once(self, topic: str, payload: Mapping[str, Any], seconds: float) -> Any:
        """Ask the broker itself, on the connection that is there and before all that waits."""
        if self.link is None or self.link.transport is None:
            raise ConnectionLost("the connection broke")
        timeout = max(1, round(seconds * 1000))
        call = self.outgoing(system_request(topic, timeout), payload)
        answer = self._expect(call, timeout)
        self.outbox.put_urgent(call)
        try:
            return await answer
        finally:
            self.calls.give_up(call)

    def respond(self, header: MessageHeader, payload: Any) -> None:
        """Answer a request; `MessageBrokerClient.respond` says what is raised."""
        if header.action != "request" or not header.request_id:
            raise InvalidMessage("only a request with an id can be answered")
        if header.request_id not in self._answerable:
            raise ConnectionLost("the request was answered, or its connection is gone")
        answer = MessageHeader("response", header.topic, header.version, header.request_id)
        outgoing = self.outgoing(answer, error_payload(payload) if isinstance(payload, BaseException) else payload)
        del self._answerable[header.request_id]
        self.outbox.put_urgent(outgoing)

    def _expect(self, call: Outgoing, timeout: int) -> asyncio.Future[Any]:
        """Expect an answer for a little longer than the broker does, so that its own word comes first if it can."""
        return self.calls.add(call, timeout * 1.05 / 1000 + 0.002)

    # Receiving

    def receive(self, text: str) -> None:
        """Take a message that arrived."""
        self.counters.received += 1
        try:
            header, payload = parse_message(text)
        except MalformedMessage as exc:
            self._transport_error(exc)
            return
        if header.action == "response" and not (header.topic == LOG and header.request_id is None):
            self._on_response(header, payload)
        elif header.topic == HEARTBEAT and header.action == "request":
            answer = MessageHeader("response", HEARTBEAT, VERSION, header.request_id)
            self.outbox.put_urgent(self.outgoing(answer))
        elif header.topic != INITIALIZE:
            self._deliver(header, payload)

    def _on_response(self, header: MessageHeader, payload: Any) -> None:
        if self.link is not None and self.outbox.is_open:
            self.link.heard()
        if error := self.calls.resolve(header, payload):
            self.report(error)

    def _deliver(self, header: MessageHeader, payload: Any) -> None:
        """Find who is to have a message, and queue it for them."""
        lane = header.topic.lower()
        if header.action == "request" and header.request_id:
            self._answerable[header.request_id] = None
            if len(self._answerable) > ANSWERABLE:
                del self._answerable[next(iter(self._answerable))]
        served = self.served.get(lane) if header.action == "request" else None
        own = served.handler if served else self.topic_handlers.get(header.topic)
        delivery = Delivery(header, payload, [own] if own else self.handlers, self._connection)
        if self._refusing or not delivery.handlers:
            self.counters.unhandled += 1
            self._refuse(delivery)
        elif served:
            self.inbox.put(f"{lane} served", delivery, served.concurrency)
        else:
            self.inbox.put(lane, delivery)

    async def _handle(self, delivery: Delivery) -> None:
        """Call the handlers of a message; the first that returns or raises something answers a request."""
        answer: Any = None
        for handler in delivery.handlers:
            result = await self._result(handler, delivery)
            answer = result if answer is None else answer
        is_served = delivery.header.topic.lower() in self.served
        if delivery.header.action == "request" and (is_served or answer is not None):
            self._answer(delivery, answer)

    async def _result(self, handler: Handler, delivery: Delivery) -> Any:
        try:
            result = handler(delivery.header, delivery.payload)
            return await result if inspect.isawaitable(result) else result
        except (Exception, asyncio.CancelledError) as exc:
            if isinstance(exc, asyncio.CancelledError) and _is_cancelled():
                raise
            if delivery.header.action != "request" or not isinstance(exc, BrokerError):
                self.report(exc)
            return exc

    def _answer(self, delivery: Delivery, answer: Any) -> None:
        """Answer a request, unless its handler did so itself; what cannot be sent becomes an error."""
        if delivery.connection != self._connection:
            self.counters.stale += 1
        elif delivery.header.request_id in self._answerable:
            try:
                self.respond(delivery.header, answer)
            except InvalidMessage as exc:
                self.report(exc)
                self.respond(delivery.header, BrokerError("INTERNAL_ERROR", "the answer cannot be sent"))

    def _refuse(self, delivery: Delivery) -> None:
        """Answer a request that will not be handled, so that nobody waits for it."""
        if delivery.header.action == "request" and delivery.header.request_id:
            reason = "closing" if self._refusing else "too many requests" if delivery.handlers else "nothing handles it"
            self._answer(delivery, ServiceUnavailable("SERVICE_UNAVAILABLE", reason))

    def _pause(self) -> None:
        if self.link is not None and self.link.transport is not None and self.outbox.is_open:
            self.link.transport.pause_reading()

    def _resume(self) -> None:
        if self.link is not None and self.link.transport is not None:
            self.link.transport.resume_reading()

    # The owner of a link

    def make_transport(self) -> Transport:
        """See `Owner`."""
        transport = self.settings.make_transport()
        transport.on_message(self.receive)
        transport.on_error(self._transport_error)
        return transport

    async def restore(self) -> None:
        """See `Owner`. The heartbeat shows that the other end is a broker even where there is nothing to restore."""
        requests = [*self.memory.requests(), (HEARTBEAT, {})]
        answers = await asyncio.gather(
            *[self.call_at_once(*request, self.settings.connect_timeout) for request in requests],
            return_exceptions=True,
        )
        for (topic, payload), answer in zip(requests, answers, strict=True):
            if isinstance(answer, ConnectionLost | RequestTimeout):
                raise answer
            if isinstance(answer, Exception):
                self.report(answer)
            elif error := failure(topic, payload, answer):
                self.report(error)

    async def is_alive(self) -> bool:
        """See `Owner`. Where reading was paused the answer may be there, unread."""
        pauses = self.inbox.pauses
        try:
            await self.call_at_once(HEARTBEAT, {}, self.settings.heartbeat_timeout)
        except RequestTimeout:
            return self.inbox.paused or self.inbox.pauses != pauses
        except MessageBrokerError as exc:
            return not isinstance(exc, ConnectionLost)
        return True

    def opened(self) -> None:
        """See `Owner`."""
        if self.inbox.paused:
            self._pause()
        self._notify(self.connect_handlers)

    def lost(self) -> Iterable[Outgoing]:
        """See `Owner`."""
        self._connection += 1
        self._answerable.clear()
        again = self.calls.lose_connection()
        self.counters.resent += len(again)
        if self.outbox.is_open:
            self._notify(self.disconnect_handlers)
        return again

    def ended(self, error: MessageBrokerError) -> None:
        """See `Owner`."""
        self.calls.fail_all(error)
        self._finish(error)

    def report(self, error: BaseException) -> None:
        """See `Owner`."""
        if not self.error_handlers:
            log.warning("%s: %s", type(error).__name__, error)
        self._notify(self.error_handlers, error)

    def _transport_error(self, error: Exception) -> None:
        self.counters.malformed += isinstance(error, MalformedMessage)
        self.report(error)

    # Handlers of what happens

    def start(self, work: Awaitable[Any], failed: Callable[[Exception], None] | None = None) -> asyncio.Future[Any]:
        """Let something go on by itself; what it raises is reported."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, failed or self.report))
        return task

    def _done(self, task: asyncio.Future[Any], failed: Callable[[Exception], None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            failed(error)

    def _notify(self, handlers: Sequence[Callable[..., Any]], *arguments: Any) -> None:
        """Call handlers; what they raise is logged, since an error handler may be one of them."""
        for handler in handlers:
            try:
                result = handler(*arguments)
                if inspect.isawaitable(result):
                    self.start(result, _log_failure)
            except Exception as exc:
                _log_failure(exc)


def _is_cancelled() -> bool:
    """Whether it is this task that is to end, not something that it waited for."""
    task = asyncio.current_task()
    return task is None or sys.version_info < (3, 11) or task.cancelling() > 0  # Python 3.10 does not tell


def _log_failure(error: BaseException) -> None:
    log.error("a handler failed", exc_info=error)


def system_request(topic: str, timeout: int = SYSTEM_TIMEOUT) -> MessageHeader:
    """Return the header of a request to the broker itself."""
    return MessageHeader("request", topic, VERSION, str(uuid4()), None, timeout)


def failure(topic: str, payload: Mapping[str, Any], answer: Any) -> BrokerError | None:
    """Return the error in an answer of the broker that says no more than that it failed."""
    if isinstance(answer, dict) and answer.get("status") == "failure":
        return BrokerError("FAILURE", f"the broker refuses {topic} of {payload.get('topic') or payload}")
    return None
