"""What sessions of both kinds are: options, headers, cookies, and the requests that are made of them."""

from __future__ import annotations

from ._cookies import SessionCookies, parse_cookies
from ._exceptions import InvalidMethod, InvalidURL
from ._headers import SessionHeaders
from ._options import CONNECTION, REQUEST_ONLY, SESSION_ONLY, Options, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, Generic, TypeVar

    from ._core import Message
    from ._engine import Engine
    from ._exchange import Exchange
    from ._headers import ChangeTypes, HeaderTypes
    from ._response import Response
    from ._transfer import Reply
    from ._types import (
        BodyOptions,
        ClientOptions,
        DataTypes,
        QueryOptions,
        QueryTypes,
        RequestOptions,
        Unpack,
    )

    Sent = TypeVar("Sent", covariant=True)
else:

    class Generic:
        """Stands for typing's, which would cost an import of typing."""

        __slots__ = ()

        def __class_getitem__(cls, item: object) -> type:
            return cls

    Sent = None

_KEPT: Final = 256
"""Requests without options that a session keeps ready to be sent again."""

_REDIRECTING: Final = frozenset({"allow_redirects", "follow_redirects", "disable_redirect"})


class SessionOption:
    """An option of a session as an attribute; what is set holds from the next request on."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, session: Client[Any] | None, owner: type) -> Any:
        return self if session is None else getattr(session._options, self._name)

    def __set__(self, session: Client[Any], value: object) -> None:
        session._options = session._options.over(resolve({self._name: value}, REQUEST_ONLY))


class Client(Generic[Sent]):
    """What its two kinds have in common; ``Sent`` is what sending a request returns.

    Args:
        options: see :class:`cycletls._options.Options`.
    """

    __slots__ = ("__weakref__", "_cookies", "_engines", "_exchange", "_headers", "_jar", "_options", "_ready")

    _forgetful = False
    """Whether cookies that are set are forgotten with the request."""

    _background = False
    """Whether requests are sent in the background of an event loop."""

    auth = SessionOption()
    base_url = SessionOption()
    cert = SessionOption()
    hooks = SessionOption()
    max_redirects = SessionOption()
    timeout = SessionOption()
    verify = SessionOption()

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        # Here, because `import cycletls` need not wait for them.
        from ._engine import EngineJar, Engines, check_identity
        from ._exchange import Exchange

        said = resolve(options, REQUEST_ONLY)
        changes = said.pop("headers", ())
        self._headers = SessionHeaders([(name, value) for name, value in changes if value is not None])
        cookies = said.pop("cookies", ())
        self._options = Options(said)
        self._exchange = Exchange
        removed = tuple([(name, None) for name, value in changes if value is None])
        self._engines = Engines(removed, self._background, self._options)
        self._ready: dict[tuple[str, str], Exchange] = {}
        self._jar = EngineJar(self._engines, self._options, self._headers.changes)
        self._cookies = SessionCookies(self._jar, cookies)
        check_identity(self._options)

    @property
    def headers(self) -> SessionHeaders:
        """Sent with every request, over the profile's; may be changed and set."""
        return self._headers

    @headers.setter
    def headers(self, headers: ChangeTypes | HeaderTypes | None) -> None:
        self._headers = SessionHeaders(headers)

    @property
    def cookies(self) -> SessionCookies:
        """The jar; may be changed and set."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        kept = parse_cookies(cookies)
        self._cookies.clear()
        self._cookies.update(kept)

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Sent:
        """Send a request and return the response with its body.

        Args:
            method: any token; sent in upper case.
            url: absolute, or relative to ``base_url``.
            options: see :class:`cycletls._options.Options`.

        Raises:
            RequestException: the request cannot be made, or failed.
        """
        return self._send(method, url, options)

    def get(self, url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Sent:
        """Send a GET request, see :meth:`request`."""
        return self._send("GET", url, _with(options, params=params))

    def options(self, url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Sent:
        """Send an OPTIONS request, see :meth:`request`."""
        return self._send("OPTIONS", url, _with(options, params=params))

    def head(self, url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Sent:
        """Send a HEAD request, see :meth:`request`; as in requests, redirects are followed only if asked for."""
        said = _with(options, params=params)
        return self._send("HEAD", url, {"allow_redirects": False, **said} if _REDIRECTING.isdisjoint(said) else said)

    def delete(self, url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Sent:
        """Send a DELETE request, see :meth:`request`."""
        return self._send("DELETE", url, _with(options, params=params))

    def post(self, url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Sent:
        """Send a POST request, see :meth:`request`."""
        return self._send("POST", url, _with(options, data=data, json=json))

    def put(self, url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Sent:
        """Send a PUT request, see :meth:`request`."""
        return self._send("PUT", url, _with(options, data=data, json=json))

    def patch(self, url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Sent:
        """Send a PATCH request, see :meth:`request`."""
        return self._send("PATCH", url, _with(options, data=data, json=json))

    def _close(self) -> None:
        self._jar.keep()
        self._engines.close()
        self._ready.clear()

    def _open(self) -> None:
        """Let the core see the options, which it otherwise does with the first request."""
        self._engines.of(self._options, self._headers.changes)

    def _send(self, method: str, url: str, given: Mapping[str, Any]) -> Sent:
        raise NotImplementedError  # the two kinds differ here

    def _streamed(self, reply: Reply, engine: Engine, body: bytes | None) -> Response:
        raise NotImplementedError  # and in how bodies are read

    def _made(self, method: str, url: str, given: Mapping[str, Any]) -> Exchange:
        """Return the exchange for a request, the one that is kept where nothing has changed."""
        plain = not given and type(method) is type(url) is str
        exchange = self._ready.get((method, url)) if plain else None
        if exchange is None or not self._holds(exchange):
            exchange = self._prepare(method, url, given)
            if plain and not exchange.manual:
                self._keep(method, url, exchange)
        return exchange

    def _holds(self, exchange: Exchange) -> bool:
        """Report whether what a request was made of has not been changed since."""
        return (
            exchange.engine.carrier.alive
            and exchange.options is self._options
            and exchange.headers is self._headers.changes
            and exchange.cookies is self._cookies.everywhere
        )

    def _opening(self, method: str, url: str, given: Mapping[str, Any], **fields: Message) -> Exchange:
        """Return the exchange for a request that opens what stays open, with what else its message says."""
        exchange = self._prepare(method, url, {**given, "stream": True})
        exchange.add(**fields)
        return exchange

    def _socket(self, url: str, given: Mapping[str, Any]) -> Exchange:
        """Return the exchange that opens a WebSocket."""
        from ._live import WebSocketOptions, taken

        own = WebSocketOptions()
        rest = taken(own, given)
        return self._opening("GET", url, rest, webSocket=own.message())

    def _source(self, url: str, given: Mapping[str, Any]) -> Exchange:
        """Return the exchange that opens a stream of events."""
        from ._live import EventOptions, taken

        own = EventOptions()
        rest = taken(own, given)
        method = rest.pop("method", "GET")
        return self._opening(method, url, rest, events=own.message())

    def _prepare(self, method: str, url: str, given: Mapping[str, Any]) -> Exchange:
        """Make a request of what is given over what the session says."""
        said = resolve(given, SESSION_ONLY)
        session, headers = self._options, self._headers.changes
        options = session.over(said) if said else session
        engine = self._engines.of(session if CONNECTION.isdisjoint(said) else options, headers)
        return self._exchange(
            engine,
            _method(method),
            _url(session.base_url, url),
            options,
            headers,
            self._cookies.everywhere,
            self._forgetful,
            self._streamed,
        )

    def _keep(self, method: str, url: str, exchange: Exchange) -> None:
        if len(self._ready) >= _KEPT:
            self._ready.clear()
        self._ready[method, url] = exchange


def _with(options: Mapping[str, Any], **positional: object) -> Mapping[str, Any]:
    """Put options that were given by position beside the others."""
    said = {name: value for name, value in positional.items() if value is not None}
    return {**options, **said} if said else options


def _method(method: object) -> str:
    if isinstance(method, str):
        return method.upper()
    raise InvalidMethod(f"a method is text, not a {type(method).__name__}")


def _url(base: str | None, url: object) -> str:
    """Return the URL as text; one without a scheme is appended to the base, as in httpx."""
    if isinstance(url, bytes) or type(url).__str__ is object.__str__:  # None, a list: shown by repr() only
        raise InvalidURL(f"a URL is text, not {type(url).__name__}")
    text = url if isinstance(url, str) else str(url)  # yarl's, httpx's
    if base is None or _has_scheme(text):
        return text
    if not text or text[0] in "?#":
        return base + text
    return f"{base.rstrip('/')}/{text.lstrip('/')}"


def _has_scheme(url: str) -> bool:
    scheme, colon, _ = url.partition(":")
    return bool(colon) and scheme.isascii() and scheme.replace("+", "a").replace("-", "a").replace(".", "a").isalnum()
