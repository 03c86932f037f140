"""The types of what callers give. Only type checkers read it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Union

from ._cookies import Cookie, Cookies
from ._request import Request
from ._timeouts import Timeouts

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

if TYPE_CHECKING:
    from ._cancel import CancelToken
    from ._headers import ChangeTypes
    from ._models import Profile
    from ._response import Response

__all__ = [
    "BodyOptions",
    "ClientOptions",
    "EventOptions",
    "QueryOptions",
    "RequestOptions",
    "Unpack",
    "WebSocketOptions",
]

Primitive: TypeAlias = Union[str, bytes, int, float, bool, None]
PairTypes: TypeAlias = Union[
    Mapping[str, Union[Primitive, Sequence[Primitive]]],
    Iterable[tuple[str, Union[Primitive, Sequence[Primitive]]]],
]
QueryTypes: TypeAlias = Union[PairTypes, str, bytes, None]
Content: TypeAlias = Union[str, bytes, bytearray, memoryview, IO[bytes], Iterable[bytes], AsyncIterable[bytes]]
DataTypes: TypeAlias = Union[PairTypes, Content, None]
FileContent: TypeAlias = Union[str, bytes, bytearray, IO[bytes]]
File: TypeAlias = Union[
    FileContent,
    tuple[Union[str, None], FileContent],
    tuple[Union[str, None], FileContent, Union[str, None]],
    tuple[Union[str, None], FileContent, Union[str, None], Mapping[str, str]],
]
FileTypes: TypeAlias = Union[Mapping[str, File], Iterable[tuple[str, File]]]
CookieTypes: TypeAlias = Union[Mapping[str, str], Iterable[tuple[str, str]], Iterable[Cookie], Cookies, CookieJar]
AuthTypes: TypeAlias = Union[tuple[str, str], Callable[[Request], Union[Request, None]], None]
Seconds: TypeAlias = Union[float, int, None]
TimeoutTypes: TypeAlias = Union[float, int, tuple[Seconds, Seconds], Timeouts, None]
Hook: TypeAlias = Callable[["Response"], Union["Response", None]]
HookTypes: TypeAlias = Mapping[str, Union[Hook, Sequence[Hook]]]
PathTypes: TypeAlias = Union[str, PathLike[str]]
ProxyTypes: TypeAlias = Union[str, Mapping[str, Union[str, None]], None]
CertTypes: TypeAlias = Union[PathTypes, tuple[PathTypes, PathTypes], tuple[PathTypes, PathTypes, str], None]
ProfileTypes: TypeAlias = Union[str, PathLike[str], Mapping[str, Any], "Profile", None]


class _Common(TypedDict, total=False):
    """What a session can say for all its requests and a request for itself."""

    headers: ChangeTypes | None
    cookies: CookieTypes | None
    auth: AuthTypes
    timeout: TimeoutTypes
    allow_redirects: bool
    max_redirects: int
    allow_downgrade: bool
    hooks: HookTypes | None
    header_order: Sequence[str] | None
    profile: ProfileTypes
    ja3: str | None
    ja4r: str | None
    http2_fingerprint: str | None
    disable_grease: bool
    user_agent: str | None
    server_name: str | None
    verify: bool | PathTypes
    cert: CertTypes
    min_tls: Literal["1.2", "1.3"]
    force_http1: bool
    resolve: Mapping[str, str] | None
    block_private: bool
    local_address: str | None
    enable_connection_reuse: bool
    max_header_bytes: int
    max_informational: int
    max_expansion: float
    max_body_bytes: int | None
    proxy: ProxyTypes
    trust_env: bool

    # Synonyms: _options.SYNONYMS says of what.
    follow_redirects: bool
    disable_redirect: bool
    insecure_skip_verify: bool
    fingerprint: ProfileTypes
    proxies: ProxyTypes


class ClientOptions(_Common, total=False):
    """Keyword arguments of a session; :class:`cycletls._options.Options` says what each does."""

    base_url: str | None
    max_connections: int | None
    max_connections_per_host: int | None
    max_idle_connections: int
    idle_timeout: float
    sidecar: bool | str | None
    sidecar_token: str | None
    sidecar_token_file: PathTypes | None
    key_log_file: PathTypes | None


class _Request(_Common, total=False):
    content: Content | None
    files: FileTypes | None
    kind: str | None
    decode_content: bool
    stream: bool
    cancel: CancelToken | None
    upload_progress: Callable[[int, int | None], object] | None
    expect_continue: float | None

    body: Content | None
    body_bytes: Content | None


class BodyOptions(_Request, total=False):
    """Keyword arguments of the methods that take ``params`` by position."""

    data: DataTypes
    json: Any
    json_data: Any


class QueryOptions(_Request, total=False):
    """Keyword arguments of the methods that take ``data`` and ``json`` by position."""

    params: QueryTypes
    json_data: Any


class RequestOptions(BodyOptions, total=False):
    """Keyword arguments of a request; :class:`cycletls._options.Options` says what each does."""

    params: QueryTypes


class WebSocketOptions(RequestOptions, total=False):
    """Keyword arguments of :meth:`CycleTLS.websocket`; :class:`cycletls._live.WebSocketOptions` says what each does."""

    subprotocols: Sequence[str]
    compression: bool
    max_message_bytes: int | None
    ping_interval: float | None
    ping_timeout: float | None


class EventOptions(RequestOptions, total=False):
    """Keyword arguments of :meth:`CycleTLS.events`; :class:`cycletls._live.EventOptions` says what each does."""

    method: str
    last_event_id: str | None
    retry: float
    max_event_bytes: int | None
