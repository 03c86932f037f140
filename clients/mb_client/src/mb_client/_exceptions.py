"""Everything that can be raised, as a tree.

MessageBrokerError               base of all
├── InvalidMessage               refused here, before sending: the broker would refuse it, too (also a ValueError)
├── MalformedMessage             what arrived is not a message (also a ValueError)
│   ├── MessageTooLarge          it is longer than this side reads; it was passed over
│   └── FramingError             the lengths make no sense; the connection cannot go on
├── BrokerError                  the answer is an error; has .code, .message, .timestamp, .details
│   ├── NoRouteFound             nobody subscribes to the topic
│   ├── RequestTimeout           no answer in time (also a TimeoutError)
│   └── ServiceUnavailable       the broker, or the service, has too much to do
├── ConnectionFailed             no connection to the broker could be made (also a ConnectionError)
├── ConnectionLost               the connection broke before the answer (also a ConnectionError)
├── NotConnected                 there is no connection now, and waiting was not wanted (also a ConnectionError)
├── QueueFull                    too much waits for the connection already
└── ClientClosed                 used before connect() or after close()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class MessageBrokerError(Exception):
    """Base of all that this package raises."""


class InvalidMessage(MessageBrokerError, ValueError):
    """Refused before it was sent, because the broker would refuse it, perhaps in a way that cannot be told apart."""


class MalformedMessage(MessageBrokerError, ValueError):
    """What arrived is not a message. The connection lives on, unless it is a `FramingError`."""


class MessageTooLarge(MalformedMessage):
    """What arrives is longer than this side reads; it is passed over."""


class FramingError(MalformedMessage):
    """A length that no message has: the place in the stream is lost, and so is the connection."""


class BrokerError(MessageBrokerError):
    """The answer is an error. Raise it in a handler of `MessageBrokerClient.serve` to answer with one.

    Attributes:
        code: such as ``INVALID_REQUEST``; the words are the broker's.
        message: what happened.
        timestamp: when, by the clock of who says so, as ISO 8601; None where it is not said.
        details: what else is known.
    """

    def __init__(
        self, code: str, message: str = "", *, timestamp: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.timestamp = timestamp
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class NoRouteFound(BrokerError):
    """Nobody subscribes to the topic, so that the message went nowhere."""


class RequestTimeout(BrokerError, TimeoutError):
    """No answer came in time."""


class ServiceUnavailable(BrokerError):
    """The broker, or the service that was asked, has too much to do."""


class ConnectionFailed(MessageBrokerError, ConnectionError):
    """No connection to the broker could be made."""


class ConnectionLost(MessageBrokerError, ConnectionError):
    """The connection broke before the answer came: whether the message arrived is not known."""


class NotConnected(MessageBrokerError, ConnectionError):
    """There is no connection now; nothing was sent."""


class QueueFull(MessageBrokerError):
    """As many messages as may wait for the connection wait already; nothing was sent."""


class ClientClosed(MessageBrokerError):
    """The client was used before ``connect()`` or after ``close()``; nothing was sent."""


ERRORS: Final[Mapping[str, type[BrokerError]]] = {
    "NO_ROUTE_FOUND": NoRouteFound,
    "TIMEOUT": RequestTimeout,
    "SERVICE_UNAVAILABLE": ServiceUnavailable,
}
"""The class of each code that has its own."""
