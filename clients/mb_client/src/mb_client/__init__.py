"""A client of the MB message broker, over WebSocket or TCP."""

from ._backoff import Backoff
from ._client import MessageBrokerClient, Stats
from ._exceptions import (
    BrokerError,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
    FramingError,
    InvalidMessage,
    MalformedMessage,
    MessageBrokerError,
    MessageTooLarge,
    NoRouteFound,
    NotConnected,
    QueueFull,
    RequestTimeout,
    ServiceUnavailable,
)
from ._header import MessageHeader
from ._message import create_message, parse_message
from ._system import Service, Subscriber, Topic
from ._tcp import TCPSocketClient
from ._version import __version__
from ._websocket import WebSocketClient

__all__ = [
    "MessageBrokerClient",
    "MessageHeader",
    "create_message",
    "parse_message",
    "TCPSocketClient",
    "WebSocketClient",
    "Backoff",
    "Stats",
    "Service",
    "Subscriber",
    "Topic",
    "BrokerError",
    "ClientClosed",
    "ConnectionFailed",
    "ConnectionLost",
    "FramingError",
    "InvalidMessage",
    "MalformedMessage",
    "MessageBrokerError",
    "MessageTooLarge",
    "NoRouteFound",
    "NotConnected",
    "QueueFull",
    "RequestTimeout",
    "ServiceUnavailable",
    "__version__",
]
