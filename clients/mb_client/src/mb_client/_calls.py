"""The messages that wait for their answers, and what becomes of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from ._exceptions import BrokerError, ConnectionLost, MessageBrokerError, RequestTimeout, ServiceUnavailable
from ._header import MessageHeader
from ._message import error_of

MAX_SENDINGS: Final = 10
"""How often an idempotent message is sent: one that makes the broker hang up must not do so for ever."""

REMEMBERED: Final = 10_000
"""Ids of which the answer would be late; older ones are unknown."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way out.

    Attributes:
        message: its text.
        header: what it is about.
        answer: what waits for the answer; None where none is expected.
        idempotent: whether it may be sent again when its connection broke before the answer.
        sent: whether it was given to a connection that stands.
        sendings: how often it was given to a connection.
        timer: what gives it up.
    """

    message: str
    header: MessageHeader
    answer: asyncio.Future[Any] | None = None
    idempotent: bool = False
    sent: bool = False
    sendings: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more for an answer that was wanted."""
        return self.answer is not None and self.answer.done()


class Calls:
    """Matches answers to what waits for them, by their ids and by nothing else.

    Attributes:
        late: answers to what had been given up.
        unknown: answers to nothing that was ever asked here, or too long ago, or answered already.
    """

    def __init__(self) -> None:
        self.late = 0
        self.unknown = 0
        self._waiting: dict[str, Outgoing] = {}
        self._given_up: dict[str, None] = {}

    def add(self, call: Outgoing, timeout: float) -> asyncio.Future[Any]:
        """Expect an answer within so many seconds.

        Returns:
            what becomes the answer's payload, or the error that it is.
        """
        identifier = call.header.request_id
        if not identifier:
            raise ValueError("a message without an id has no answer")
        loop = asyncio.get_running_loop()
        call.answer = loop.create_future()
        call.timer = loop.call_later(timeout, self._expire, call, timeout)
        self._waiting[identifier] = call
        return call.answer

    def give_up(self, call: Outgoing) -> None:
        """Wait no longer for an answer; it will be late."""
        if self._settle(call):
            self._remember(call)
            if call.answer is not None:
                call.answer.cancel()

    def resolve(self, header: MessageHeader, payload: Any) -> BrokerError | None:
        """Give an answer to what waits for it.

        Returns:
            the error in an answer that nobody waits for, which is dropped; else None.
        """
        error = error_of(payload)
        call = self._waiting.get(header.request_id or "")
        if call is None and isinstance(error, ServiceUnavailable) and header.request_id not in self._given_up:
            call = self._evicted(header)
        if call is None:
            late = header.request_id in self._given_up
            self.late += late
            self.unknown += not late
            return error
        if error is not None:
            self._fail(call, error)
        elif self._settle(call) and call.answer is not None and not call.answer.done():
            call.answer.set_result(payload)
        return None

    def lose_connection(self) -> list[Outgoing]:
        """Fail what was sent on a connection that broke, but for what is idempotent.

        Returns:
            that, in the order in which it was sent first: to be sent again.
        """
        again = []
        for call in list(self._waiting.values()):
            if not call.sent:
                continue
            call.sent = False
            if call.idempotent and call.sendings < MAX_SENDINGS:
                again.append(call)
            else:
                times = f" {call.sendings} times" if call.sendings > 1 else ""
                self._fail(
                    call, ConnectionLost(f"the connection broke{times} before the answer on {call.header.topic}")
                )
        return again

    def fail_all(self, error: MessageBrokerError) -> None:
        """Fail everything that waits."""
        for call in list(self._waiting.values()):
            self._fail(call, error)

    def answers(self) -> list[asyncio.Future[Any]]:
        """Return what waits now."""
        return [call.answer for call in self._waiting.values() if call.answer is not None]

    def _evicted(self, header: MessageHeader) -> Outgoing | None:
        """Find the request that a broker which is full has thrown out.

        It throws out its oldest one, and says so with the id of this service in place of the request's. So it was the
        oldest of those that wait on the topic.
        """
        topic = header.topic.lower()
        for call in self._waiting.values():
            if call.sent and call.header.action == "request" and call.header.topic.lower() == topic:
                return call
        return None

    def _expire(self, call: Outgoing, timeout: float) -> None:
        self._remember(call)
        self._fail(call, RequestTimeout("TIMEOUT", f"no answer on {call.header.topic} within {timeout:.3f} s"))

    def _fail(self, call: Outgoing, error: MessageBrokerError) -> None:
        if self._settle(call) and call.answer is not None and not call.answer.done():
            call.answer.set_exception(error)

    def _settle(self, call: Outgoing) -> bool:
        """Expect no answer any more; say whether one was expected."""
        if call.timer is not None:
            call.timer.cancel()
        return self._waiting.pop(call.header.request_id or "", None) is not None

    def _remember(self, call: Outgoing) -> None:
        self._given_up[call.header.request_id or ""] = None
        if len(self._given_up) > REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
