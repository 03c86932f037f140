"""Everything that can be raised, as a tree.

CycleTLSError                    base of all
├── LibraryError                 libcycletls cannot be loaded, or belongs to another version
├── ForkError                    what was open before a fork was used in the child
├── LoopError                    an asynchronous client outside of its event loop
├── StreamError                  a response whose body is read as it comes was read wrongly
│   ├── StreamConsumed           a second time, or by two at once
│   └── StreamClosed             after it was closed
├── CookieConflict               several cookies have the name that was asked for
└── RequestException             a request cannot be made, or failed; has .request and .response
    ├── InvalidURL               not a URL that can be requested
    ├── InvalidHeader            a field name or value that would break the message
    ├── InvalidMethod            not a method token
    ├── InvalidOption            an option's value: of the wrong type, out of range, a missing file, a conflict
    │   └── UnknownOption        an option's name
    ├── InvalidBody              a body that cannot be encoded, or contradicts its announced length
    ├── UnrewindableBodyError    a streamed body would have to be sent again and cannot be read again
    ├── Timeout                  the whole exchange took longer than its limit
    │   ├── PoolTimeout          no connection became free in time
    │   ├── ConnectTimeout       connecting took too long (also a ConnectionError)
    │   ├── WriteTimeout         the server took no more of the request
    │   └── ReadTimeout          the server sent nothing for too long
    ├── ConnectionError          the connection failed
    │   ├── DNSError             the host name has no address
    │   ├── ConnectError         no address could be connected to
    │   ├── BlockedAddress       the address is private and block_private is on
    │   ├── ProxyError           the proxy could not be reached, or does not lead on
    │   ├── TLSError             the handshake failed (SSLError)
    │   │   └── CertificateError the server's certificate was not accepted
    │   ├── ConnectionClosed     closed or reset while the exchange went on
    │   ├── StreamReset          HTTP/2 stream or connection ended by the server
    │   ├── ProtocolError        the server broke the rules of its protocol
    │   ├── IncompleteRead       the body ended early (ChunkedEncodingError)
    │   └── SidecarDied          the sidecar process ended under a request, which is not sent again
    ├── LimitExceeded            the server sent more than a limit allows
    ├── ContentDecodingError     a content coding is broken
    ├── WebSocketError           a WebSocket was used in a way that cannot be
    │   ├── WebSocketHandshakeError  the server did not open it; .response tells what it said instead
    │   └── WebSocketClosed      it is closed; .code and .reason say how
    ├── EventStreamError         the response is no stream of events, or the server ends it time and again (SSEError)
    ├── TooManyRedirects         more redirects than max_redirects
    ├── RedirectRefused          a redirect to where none may lead
    ├── HTTPError                raise_for_status() on a 4xx or 5xx response
    ├── JSONDecodeError          json() on what is not JSON (in _json.py; also a json.JSONDecodeError)
    ├── SessionClosed            used after close()
    ├── Cancelled                given up by this side
    ├── Interrupted              a signal handler ended the wait
    ├── InvalidMessage           Python and the library did not understand each other
    └── InternalError            a fault of ours; the message has the stack
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost an import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar, Final

    from ._request import Request
    from ._response import Response


class CycleTLSError(Exception):
    """Base of all that this package raises."""


class LibraryError(CycleTLSError):
    """libcycletls cannot be loaded, or belongs to another version."""


class ForkError(CycleTLSError):
    """What was open in the parent of a fork was used in the child, or anything with ``CYCLETLS_FORK=error``."""


class LoopError(CycleTLSError, RuntimeError):
    """An asynchronous client was used outside of an event loop, or in another one than it was opened in."""


class StreamError(CycleTLSError, RuntimeError):
    """A response whose body is read as it comes was read wrongly."""


class StreamConsumed(StreamError):
    """The body has been read already, or somebody else is reading it."""


class StreamClosed(StreamError):
    """The response was closed before all of its body was read."""


class CookieConflict(CycleTLSError):
    """Several cookies have the name that was asked for: say which domain or path."""


class RequestException(CycleTLSError):
    """A request that cannot be made, or failed.

    Attributes:
        request: what was asked for; None where the failure is of a session's options.
        response: the one that HTTPError, JSONDecodeError, UnrewindableBodyError and WebSocketHandshakeError are
            about; else None.
        detail: what else is known, e.g. ``delivery``: ``unsent``, ``sent`` or ``answered``.
    """

    remedy: ClassVar[str] = ""
    """What the caller can do about it, in the words of this package's options."""

    def __init__(
        self,
        message: str = "",
        *,
        request: Request | None = None,
        response: Response | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        Exception.__init__(self, message)  # not super(): JSONDecodeError has another base that wants more
        self.request = response.request if request is None and response is not None else request
        self.response = response
        self.detail = dict(detail or {})

    def __str__(self) -> str:
        what = super().__str__()
        text = f"{printable(self.request.method)} {printable(self.request.url)}: {what}" if self.request else what
        return f"{text} ({self.remedy})" if self.remedy else text


class InvalidURL(RequestException, ValueError):
    """Not a URL that can be requested."""


class InvalidHeader(RequestException, ValueError):
    """A field name or value that would break the message."""


class InvalidMethod(RequestException, ValueError):
    """Not a method token (RFC 9110 section 9.1)."""


class InvalidOption(RequestException, ValueError):
    """An option's value: of the wrong type, out of range, a missing file, a conflict with another."""


class UnknownOption(InvalidOption, TypeError):
    """An option's name that does not exist here."""


class InvalidBody(RequestException, ValueError):
    """A body that cannot be encoded, or that contradicts its announced length."""


class UnrewindableBodyError(RequestException):
    """A streamed body would have to be sent again and cannot be read again."""

    remedy = "give bytes or a seekable file instead"


class Timeout(RequestException):
    """The whole exchange took longer than its limit."""

    remedy = "timeout= sets the limit"


class PoolTimeout(Timeout):
    """No connection became free in time."""

    remedy = "Timeouts(pool=) and max_connections= set the limits"


class WriteTimeout(Timeout):
    """The server took no more of the request."""

    remedy = "Timeouts(write=) sets the limit"


class ReadTimeout(Timeout):
    """The server sent nothing for too long."""

    remedy = "Timeouts(read=) sets the limit"


class ConnectionError(RequestException):  # requests' name, on purpose over the builtin
    """The connection failed."""


class ConnectTimeout(ConnectionError, Timeout):
    """Connecting took too long."""

    remedy = "Timeouts(connect=) sets the limit"


class DNSError(ConnectionError):
    """The host name has no address."""


class ConnectError(ConnectionError):
    """No address of the host could be connected to."""


class BlockedAddress(ConnectionError):
    """The host's address is private and ``block_private`` is on."""

    remedy = "block_private=False allows it"


class ProxyError(ConnectionError):
    """The proxy could not be reached, or does not lead on.

    ``detail`` has its URL, without credentials, as ``proxy``, and the ``status``
    with which it refused a tunnel.
    """


class TLSError(ConnectionError):
    """The TLS handshake failed."""


class CertificateError(TLSError):
    """The server's certificate was not accepted."""


class ConnectionClosed(ConnectionError):
    """The connection was closed or reset while the exchange went on."""


class StreamReset(ConnectionError):
    """The server ended the HTTP/2 stream or its connection."""


class ProtocolError(ConnectionError):
    """The server broke the rules of its protocol."""


class IncompleteRead(ConnectionError):
    """The body ended before its framing said so."""


class SidecarDied(ConnectionError):
    """The sidecar process, or the connection to it, ended under a request; the next request starts another."""


class LimitExceeded(RequestException):
    """The server sent more than a limit allows."""

    remedy = "the max_* options set the limits"


class ContentDecodingError(RequestException):
    """A content coding of the body is broken."""


class WebSocketError(RequestException):
    """A WebSocket was used in a way that cannot be: a close code that may not be sent, two receivers at once."""


class WebSocketHandshakeError(WebSocketError):
    """The server did not open the WebSocket; ``response`` is what it answered, None where the handshake was faulty."""


class WebSocketClosed(WebSocketError):
    """The WebSocket is closed.

    Attributes:
        code: RFC 6455 section 7.4.1; 1005 where the server gave none, 1006 where the connection was lost.
        reason: in the words of who closed it.
    """

    @property
    def code(self) -> int:
        return int(self.detail.get("code", 1006))

    @property
    def reason(self) -> str:
        return self.detail.get("reason", "")


class EventStreamError(RequestException):
    """The response is no stream of events, or the server ends it time and again without sending one."""


class TooManyRedirects(RequestException):
    """More redirects than ``max_redirects``."""

    remedy = "max_redirects= sets the limit"


class RedirectRefused(RequestException):
    """A redirect to where none may lead: another scheme, or from https to http."""

    remedy = "allow_redirects=False returns the redirecting response"


class HTTPError(RequestException):
    """A 4xx or 5xx response, raised by ``raise_for_status()``."""


class SessionClosed(RequestException, RuntimeError):
    """The session was closed."""


class Cancelled(RequestException):
    """This side gave the exchange up."""


class Interrupted(RequestException):
    """A signal handler ended the wait."""


class InvalidMessage(RequestException):
    """Python and the library did not understand each other: a fault of this package."""


class InternalError(RequestException):
    """A fault of this package; please report it with the stack in the message."""


def printable(text: str) -> str:
    """Escape what a terminal or a log would not show as itself: control characters, line breaks, halves of pairs."""
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode() for c in text])


SSLError = TLSError
"""requests' name."""
ChunkedEncodingError = IncompleteRead
"""requests' name."""
SSEError = EventStreamError
"""CycleTLS' name."""

ERRORS: Final[Mapping[str, type[RequestException]]] = {
    "invalid_url": InvalidURL,
    "invalid_header": InvalidHeader,
    "invalid_method": InvalidMethod,
    "invalid_option": InvalidOption,
    "invalid_body": InvalidBody,
    "unrewindable": UnrewindableBodyError,
    "total_timeout": Timeout,
    "pool_timeout": PoolTimeout,
    "connect_timeout": ConnectTimeout,
    "write_timeout": WriteTimeout,
    "read_timeout": ReadTimeout,
    "cancelled": Cancelled,
    "interrupted": Interrupted,
    "dns": DNSError,
    "connect": ConnectError,
    "blocked": BlockedAddress,
    "proxy": ProxyError,
    "tls": TLSError,
    "certificate": CertificateError,
    "connection_closed": ConnectionClosed,
    "stream_reset": StreamReset,
    "protocol": ProtocolError,
    "limit": LimitExceeded,
    "incomplete": IncompleteRead,
    "decoding": ContentDecodingError,
    "websocket_handshake": WebSocketHandshakeError,
    "websocket_closed": WebSocketClosed,
    "websocket_invalid": WebSocketError,
    "event_stream": EventStreamError,
    "too_many_redirects": TooManyRedirects,
    "redirect_refused": RedirectRefused,
    "closed": SessionClosed,
    "invalid_message": InvalidMessage,
    "internal": InternalError,
}
"""The class of each kind that the core tells (golang/internal/envelope/errors.go): one each."""
