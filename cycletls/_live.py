"""What WebSockets and streams of events have in common: options of their own, and steps that outlive a wait."""

from __future__ import annotations

import os
import weakref

from ._envelope import milliseconds
from ._exceptions import InvalidOption, UnknownOption
from ._timeouts import LONGEST
from ._transfer import NOT_YET, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from typing import Any, Final

    from ._background import Background
    from ._core import Message
    from ._transfer import Carrier, Done, Step


class WebSocketOptions:
    """What :meth:`CycleTLS.websocket` takes beside the options of a request; a class attribute is the default."""

    subprotocols: tuple[str, ...] = ()
    """Offered to the server, which may choose one."""
    compression: bool = True
    """Offer to compress messages (permessage-deflate)."""
    max_message_bytes: int | None = 64 * 1024 * 1024
    """Largest message that is received; None is no limit."""
    ping_interval: float | None = None
    """Seconds between two pings of this side; None sends none, as browsers do."""
    ping_timeout: float | None = 20.0
    """Seconds that the server may be silent after a ping; None does not mind."""

    def message(self) -> Message:
        """Describe them for the core."""
        return {
            "subprotocols": list(self.subprotocols),
            "compression": self.compression,
            "maxMessageBytes": self.max_message_bytes or 0,
            "pingInterval": milliseconds(self.ping_interval),
            "pingTimeout": milliseconds(self.ping_timeout),
        }


class EventOptions:
    """What :meth:`CycleTLS.events` takes beside the options of a request; a class attribute is the default."""

    last_event_id: str = ""
    """The event to go on after."""
    retry: float = 3.0
    """Seconds to wait before connecting again, until the stream says otherwise."""
    max_event_bytes: int | None = 16 * 1024 * 1024
    """Largest event that is received; None is no limit."""

    def message(self) -> Message:
        """Describe them for the core."""
        return {
            "lastEventId": self.last_event_id,
            "retry": milliseconds(self.retry),
            "maxEventBytes": self.max_event_bytes or 0,
        }


_CHECKS: Final[Mapping[str, tuple[str, Any]]] = {
    "subprotocols": ("names", lambda value: not isinstance(value, str) and all(isinstance(v, str) for v in value)),
    "compression": ("True or False", lambda value: isinstance(value, bool)),
    "max_message_bytes": ("a number of bytes", lambda value: _number(value, 1, 2**53, int)),
    "ping_interval": ("seconds", lambda value: _number(value, 0.001, LONGEST, float)),
    "ping_timeout": ("seconds", lambda value: _number(value, 0.001, LONGEST, float)),
    "last_event_id": ("text", lambda value: isinstance(value, str)),
    "retry": ("seconds", lambda value: _number(value, 0, LONGEST, float)),
    "max_event_bytes": ("a number of bytes", lambda value: _number(value, 1, 2**53, int)),
}


def _number(value: object, least: float, most: float, kind: type) -> bool:
    return type(value) in (int, kind) and least <= value <= most  # type: ignore[operator]  # narrowed by type()


def taken(options: WebSocketOptions | EventOptions, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take what is the options' own out of what was given, and return the rest.

    Raises:
        InvalidOption: a value that is none.
    """
    rest = dict(given)
    for name in type(options).__annotations__:
        if name not in rest:
            continue
        value = rest.pop(name)
        said, right = _CHECKS[name]
        default = getattr(type(options), name)
        may_be_none = isinstance(default, str) or "None" in type(options).__annotations__[name]
        if value is None and may_be_none:
            setattr(options, name, type(default)() if isinstance(default, str) else None)
            continue
        try:
            fits = right(value)
        except TypeError:
            fits = False
        if not fits:
            raise InvalidOption(f"{name}= is {said}, not {value!r:.100}")
        setattr(options, name, tuple(value) if isinstance(default, tuple) else value)
    if "stream" in rest:
        raise UnknownOption("stream= is an option of a request, not of a WebSocket or a stream of events")
    return rest


class _Waiting:
    """What one task at a time waits for, so many seconds."""

    __slots__ = ("_failed", "_loop", "_outcome", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outcome: Outcome | None = None
        self._failed: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def outcome(self, timeout: float | None) -> Outcome | None:
        """Wait for what comes of it, so many seconds at most; None if that is nothing so far."""
        if self._outcome is None and self._failed is None:
            waiter = self._waiter = self._loop.create_future()
            timer = None if timeout is None else self._loop.call_later(timeout, _expire, waiter)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        if self._failed is not None:
            raise self._failed
        return self._outcome

    def _tell(self) -> None:
        """Tell who waits."""
        if self._waiter is not None:
            _expire(self._waiter)


class Kept(_Waiting):
    """A step in the background that outlives whoever waits for it, so that what it brings is not lost.

    Args:
        background: takes the step.
        step: the step.
    """

    __slots__ = ()

    def __init__(self, background: Background, step: Step) -> None:
        super().__init__(background.loop)
        background.keep(step, self)

    def done(self) -> bool:
        """Report whether it is done: what :class:`Background` asks of a future."""
        return self._outcome is not None or self._failed is not None

    def set_result(self, done: Done) -> None:
        """Take note of what came of it."""
        self._outcome = Outcome(*done)
        self._tell()

    def set_exception(self, exc: Exception) -> None:
        """Take note that nothing comes of it."""
        self._failed = exc
        self._tell()

    def cancel(self) -> None:
        """Give up: the loop's work has ended."""
        if self._waiter is not None:
            self._waiter.cancel()


class Watched(_Waiting):
    """A step without waiting, taken when a descriptor that the loop watches says that there may be something.

    An echo takes one context switch this way, and nearly four with a step in the background (measured).

    Args:
        loop: the running one.
        carrier: takes the step, on the loop's thread.
        step: the step.
        descriptor: is readable then; it is closed in the end.
    """

    __slots__ = ("__weakref__", "_carrier", "_descriptor", "_reading", "_step", "close")

    def __init__(self, loop: asyncio.AbstractEventLoop, carrier: Carrier, step: Step, descriptor: int) -> None:
        super().__init__(loop)
        self._carrier, self._step, self._descriptor = carrier, step, descriptor
        self._reading = False
        self.close = weakref.finalize(self, _unwatch, loop, descriptor)

    def take(self) -> Outcome | None:
        """Return what has come and nobody has waited for, None if that is nothing; it is the caller's now."""
        outcome, self._outcome = self._outcome, None
        return outcome

    async def outcome(self, timeout: float | None) -> Outcome | None:
        """Wait for what comes of it; see :meth:`take`."""
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._descriptor, _look, weakref.ref(self))
        return await super().outcome(timeout)

    def end(self) -> None:
        """Watch no more, because what is watched has ended; whoever waits is told.

        Until the descriptor is closed, so is not the connection: a server that still sends would never notice.
        """
        if self._waiter is not None and self._outcome is None:
            self._outcome = self._carrier.perform(self._step)
            self._tell()
        self.close()

    def look(self) -> None:
        """Take the step, if somebody waits for that."""
        if self._waiter is None:  # the loop would go round and round
            self._loop.remove_reader(self._descriptor)
            self._reading = False
        elif self._outcome is None:
            outcome = self._carrier.perform(self._step)
            if outcome.status != NOT_YET:
                self._outcome = outcome
                self._tell()


def _look(reference: weakref.ref[Watched]) -> None:
    watched = reference()
    if watched is not None:
        watched.look()


def _unwatch(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    if not loop.is_closed():
        loop.remove_reader(descriptor)
    os.close(descriptor)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
