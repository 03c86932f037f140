"""Responses."""

from __future__ import annotations

from collections.abc import Iterator

from ._cookies import Cookies
from ._exceptions import HTTPError
from ._headers import Headers
from ._pieces import Lines, Pieces, Sizes, Texts
from ._request import Request
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import CodecInfo
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Any, Final, TypeAlias

    from ._engine import Engine

    EngineReference: TypeAlias = Callable[[], Engine | None]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_NOT_TEXT: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
"""Python codecs that decode bytes but are no charset: some are slow, fail or warn on what a server sends."""


class Response:
    """What a server answered; the body has been read, its content codings are undone.

    What is made of the head is made when it is asked for.

    Attributes:
        status_code: e.g. 200.
        content: the body.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_encoding",
        "_engine",
        "_head",
        "_headers",
        "_history",
        "_request",
        "content",
        "status_code",
    )

    def __init__(
        self,
        status_code: int,
        head: bytes | dict[str, Any],
        content: bytes,
        *,
        body: bytes | None = None,
        engine: EngineReference | None = None,
    ) -> None:
        self.status_code = status_code
        self.content = content
        self._head = head
        self._body = body
        self._engine = engine
        self._encoding: str | None = None
        self._headers: Headers | None = None
        self._history: list[Response] | None = None
        self._request: Request | None = None

    @property
    def _message(self) -> dict[str, Any]:
        """The head as the core's message."""
        if isinstance(self._head, bytes):
            from ._core import unpack  # has been imported by whatever sent the request

            self._head = unpack(self._head)
        return self._head

    @property
    def headers(self) -> Headers:
        """The header fields."""
        if self._headers is None:
            self._headers = Headers._of(self._message.get("headers", ()))
        return self._headers

    @property
    def trailers(self) -> Headers:
        """The fields that came after the body."""
        return Headers._of(self._message.get("trailers", ()))

    @property
    def reason(self) -> str:
        """The reason phrase; HTTP/2 has none, there it is the code's usual one."""
        from http import HTTPStatus

        sent = self._message.get("reason")
        if sent:
            return str(sent)
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def http_version(self) -> str:
        """E.g. ``"HTTP/1.1"`` or ``"HTTP/2"``."""
        return str(self._message["version"])

    @property
    def url(self) -> str:
        """The URL that answered, after redirects, without user and password."""
        return str(self._message["url"])

    final_url = url
    """CycleTLS' name of :attr:`url`."""

    @property
    def request(self) -> Request:
        """The request that was answered, with all headers as they left."""
        if self._request is None:
            message = self._message
            self._request = Request(message["method"], message["url"], body=self._body)
            self._request.headers = Headers._of(message.get("sent", ()))
        return self._request

    @property
    def history(self) -> list[Response]:
        """The responses that redirected, first to last; their bodies were not kept."""
        if self._history is None:
            hops = self._message.get("history", ())
            self._history = [Response(hop["status"], hop, b"", engine=self._engine) for hop in hops]
        return self._history

    @property
    def cookies(self) -> Cookies:
        """The cookies that this response set."""
        from ._envelope import cookie_of

        return Cookies([cookie_of(cookie) for cookie in self._message.get("cookies", ())])

    @property
    def elapsed(self) -> timedelta:
        """From the start of the first request to the head of this response; as in requests, the body comes after."""
        from datetime import timedelta

        return timedelta(seconds=self.timings.total)

    @property
    def timings(self) -> Timings:
        """What the time was spent on."""
        from ._envelope import seconds

        spent = self._message.get("timings", {})
        return Timings(*[seconds(spent.get(name, 0.0)) for name in Timings.__slots__])

    @property
    def tls(self) -> TLS | None:
        """What the TLS handshake agreed on; None for http."""
        connection = self._message.get("connection", {})
        agreed = connection.get("tls")
        return TLS(agreed, connection["id"], self._engine) if agreed else None

    @property
    def connection(self) -> Connection:
        """The connection that carried the exchange."""
        return Connection(self._message.get("connection", {}))

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        """Whether this response redirects."""
        return self.status_code in _REDIRECTS and "Location" in self.headers

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 4xx."""
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        """Whether the status is 5xx."""
        return 500 <= self.status_code < 600

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return 400 <= self.status_code < 600

    @property
    def encoding(self) -> str:
        """The charset of the text: the one of Content-Type, else UTF-8; it can be set."""
        return self._encoding or _charset(self.headers.get("Content-Type", "")) or "utf-8"

    @encoding.setter
    def encoding(self, encoding: str | None) -> None:
        self._encoding = encoding

    @property
    def text(self) -> str:
        """The body as text; bytes that the charset does not know become U+FFFD."""
        return _decode(self.content, self.encoding)

    body = text
    """CycleTLS' name of :attr:`text`."""

    @property
    def body_bytes(self) -> bytes:
        """CycleTLS' name of :attr:`content`."""
        return self.content

    def array_buffer(self) -> bytes:
        """Return :attr:`content`, as CycleTLS' arrayBuffer() does."""
        return self.content

    def json(self, **options: Any) -> Any:
        """Decode the body as JSON.

        Args:
            options: those of :func:`json.loads`.

        Raises:
            JSONDecodeError: it is not JSON.
        """
        from ._json import loads

        return loads(self, options)

    def raise_for_status(self) -> None:
        """Raise :class:`HTTPError` where the status is 4xx or 5xx."""
        if self.is_error:
            whose = "Client" if self.status_code < 500 else "Server"
            raise HTTPError(f"{self.status_code} {whose} Error: {self.reason}", response=self)

    def read(self, size: int = -1) -> Any:
        """Return :attr:`content`; a streamed response reads here."""
        return self.content if size < 0 else self.content[:size]

    async def aread(self) -> bytes:
        """Return the whole body; httpx's name, for responses of an event loop."""
        content = self.read()
        return content if isinstance(content, bytes) else await content

    def iter_bytes(self, chunk_size: int | None = None) -> Pieces:
        """Iterate over the body in pieces of that many bytes (None: as they come), with ``for`` or ``async for``."""
        return self._cut(Sizes(chunk_size))

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Pieces:
        """Iterate over the body in pieces of that size, as text where ``decode_unicode`` says so."""
        return self._cut(*self._texts(decode_unicode), Sizes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Pieces:
        """Iterate over the body as text, in pieces of so many characters (None: as they come)."""
        return self.iter_content(chunk_size, decode_unicode=True)

    def iter_lines(self, chunk_size: int = 512, decode_unicode: bool = False, delimiter: Any = None) -> Pieces:
        """Iterate over the lines of the body, without their ends, as text where ``decode_unicode`` says so.

        ``chunk_size`` is requests' and does not matter to lines.
        """
        return self._cut(*self._texts(decode_unicode), Lines(delimiter))

    aiter_bytes = iter_bytes
    aiter_text = iter_text

    def aiter_lines(self) -> Pieces:
        """Iterate over the lines as text, as httpx does."""
        return self.iter_lines(decode_unicode=True)

    def _cut(self, *cutters: Any) -> Pieces:
        left = [self.content, b""]
        return Pieces(lambda: left.pop(0), cutters)

    def _texts(self, wanted: bool) -> list[Texts]:
        """Return what makes text of bytes, where that is wanted."""
        return [Texts(_codec(self.encoding).incrementaldecoder("replace"))] if wanted else []

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The Link header (RFC 8288) by relation, or by URL where a link has none."""
        from ._links import parse_links

        parsed = parse_links(self.headers.get("Link", ""))
        return {link.get("rel") or link["url"]: link for link in parsed}

    def close(self) -> None:
        """Do nothing, for programs that close what requests gave them: the body has been read."""

    async def aclose(self) -> None:
        """Do what :meth:`close` does; httpx's name, for responses of an event loop."""
        self.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.iter_content(128))

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "status_code": self.status_code,
            "content": self.content,
            "_head": self._head,
            "_body": self._body,
            "_encoding": self._encoding,
            "_history": self._history,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._engine = self._headers = self._request = None
        for name, value in state.items():
            setattr(self, name, value)


class Timings(Value):
    """Seconds that the last hop spent; ``total`` spans all hops.

    Attributes:
        pool: waiting for a free connection.
        dns: looking the name up.
        connect: connecting.
        tls: the TLS handshake.
        send: sending the request.
        wait: waiting for the response's head.
        total: from the start of the first hop to the head of this response.
    """

    __slots__ = ("pool", "dns", "connect", "tls", "send", "wait", "total")

    def __init__(
        self, pool: float, dns: float, connect: float, tls: float, send: float, wait: float, total: float
    ) -> None:
        self.pool = pool
        self.dns = dns
        self.connect = connect
        self.tls = tls
        self.send = send
        self.wait = wait
        self.total = total


class Connection(Value):
    """What carried an exchange.

    Attributes:
        protocol: ``"http/1.1"`` or ``"h2"``.
        reused: whether an earlier exchange had opened it.
        remote_address: of the server, e.g. ``"127.0.0.1:443"``.
        local_address: of this side.
    """

    __slots__ = ("protocol", "reused", "remote_address", "local_address")

    def __init__(self, message: dict[str, Any]) -> None:
        self.protocol: str = message.get("protocol", "")
        self.reused: bool = message.get("reused", False)
        self.remote_address: str = message.get("remoteAddr", "")
        self.local_address: str = message.get("localAddr", "")


class TLS(Value):
    """What a TLS handshake agreed on, in the names of the registries.

    Attributes:
        version: e.g. ``"TLSv1.3"``.
        cipher: e.g. ``"TLS_AES_128_GCM_SHA256"``.
        group: of the key exchange, e.g. ``"X25519MLKEM768"``; "" where unknown.
        alpn: the protocol, e.g. ``"h2"``; "" where none was agreed on.
        server_name: the name that was asked for.
        resumed: whether an earlier session was resumed.
        ech: whether the server accepted an encrypted hello.
        ja4: JA4 of the hello that was sent.
    """

    __slots__ = ("version", "cipher", "group", "alpn", "server_name", "resumed", "ech", "ja4", "_connection", "_engine")

    def __init__(self, message: dict[str, Any], connection: int, engine: EngineReference | None) -> None:
        self.version: str = message["version"]
        self.cipher: str = message.get("cipher", "")
        self.group: str = message.get("group", "")
        self.alpn: str = message.get("alpn", "")
        self.server_name: str = message.get("serverName", "")
        self.resumed: bool = message.get("resumed", False)
        self.ech: bool = message.get("ech", False)
        self.ja4: str = message.get("ja4", "")
        self._connection = connection
        self._engine = engine

    @property
    def certificates(self) -> list[bytes]:
        """The server's certificates in DER, its own first; empty where the session is gone or has forgotten them."""
        engine = self._engine() if self._engine else None
        return engine.certificates(self._connection) if engine else []

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's own certificate in DER, see :attr:`certificates`."""
        return next(iter(self.certificates), None)


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("'\"")
    return ""


def _decode(content: bytes, encoding: str) -> str:
    return _codec(encoding).decode(content, "replace")[0]


def _codec(encoding: str) -> CodecInfo:
    """Return the codec of a charset, UTF-8's where there is none."""
    from codecs import lookup

    try:
        found = lookup(encoding)
        if found.name.replace("-", "_") not in _NOT_TEXT and found.incrementaldecoder:
            b" ".decode(encoding, "replace")  # refuses what makes no text of bytes
            return found
    except (LookupError, ValueError):  # no such charset, or no charset at all
        pass
    return lookup("utf-8")
