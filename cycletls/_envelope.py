"""The one message schema in Python; golang/internal/envelope is its other half.

Seconds become milliseconds and back here and nowhere else.
"""

from __future__ import annotations

import os

from ._body import flatten
from ._cookies import Cookie
from ._profiles import all_names, base_documents, base_names, profile_document
from ._proxies import proxies_of
from ._timeouts import Timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from ._core import Message
    from ._headers import Changes
    from ._options import Options
    from ._streams import Body


def session_message(options: Options, headers: Changes, jar: int, background: bool) -> Message:
    """Describe a session of the core: all that stays the same from request to request.

    Args:
        options: the session's, or with those of a request over them.
        headers: what it changes about the profile's headers with every request.
        jar: handle of the session whose cookies it shares, 0 for none.
        background: whether its requests are sent in the background.
    """
    certificate, key, password = (*options.cert, "", "", "")[:3]
    proxies = proxies_of(options)
    message = {
        "type": "session",
        **_identity(options),
        "userAgent": options.user_agent,
        "serverName": options.server_name,
        "insecureSkipVerify": options.verify is False,
        "caFile": options.verify if isinstance(options.verify, str) else "",
        "certFile": certificate,
        "keyFile": key,
        "keyPassword": password,
        "minTls": options.min_tls,
        "keyLogFile": options.key_log_file or os.environ.get("SSLKEYLOGFILE"),
        "forceHTTP1": options.force_http1,
        "headers": headers,
        "headerOrder": options.header_order,
        "timeouts": _timeouts(options.timeout),
        "redirects": _redirects(options),
        "resolve": dict(options.resolve),
        "blockPrivate": options.block_private,
        "localAddress": options.local_address,
        "proxies": proxies.rules,
        "noProxy": proxies.exceptions,
        "enableConnectionReuse": options.enable_connection_reuse,
        "maxConnections": options.max_connections or 0,
        "maxConnectionsPerHost": options.max_connections_per_host or 0,
        "maxIdleConnections": options.max_idle_connections,
        "idleTimeout": milliseconds(options.idle_timeout),
        "maxHeaderBytes": options.max_header_bytes,
        "maxInformational": options.max_informational,
        "maxExpansion": options.max_expansion,
        "maxBodyBytes": options.max_body_bytes or 0,
        "cookieJar": jar,
        "async": background or None,
    }
    return {name: value for name, value in message.items() if value or value == 0}


def describe_message(options: Options) -> Message:
    """Ask what a session with these options would look like."""
    return {"type": "describe", **{name: value for name, value in _identity(options).items() if value}}


def _identity(options: Options) -> Message:
    """Describe whose wire image to take: without a profile, the core looks for one that notations fit."""
    message: Message = {
        "ja3": options.ja3,
        "ja4r": options.ja4r,
        "http2Fingerprint": options.http2_fingerprint,
        "disableGrease": options.disable_grease or None,
    }
    if (options.ja3 or options.ja4r) and not options.says("profile"):
        return {"bases": base_documents(), **message}
    return {"profile": profile_document(options.profile), **message}


def node_message(options: Options, max_event_bytes: int | None, address: str, idle_exit: float | None) -> Message:
    """Describe a sidecar for npm's client.

    Args:
        options: what holds where the client's requests say nothing.
        max_event_bytes: largest event of a stream; None is no limit.
        address: where it listens.
        idle_exit: seconds after which it ends when there is no client; None is never.
    """
    defaults = session_message(options, (), 0, True)
    del defaults["type"]
    names = all_names()
    known = {"bases": base_documents(), "names": [names[full] for full in base_names()]}
    node: Message = {**defaults, **known, "maxEventBytes": max_event_bytes or 0}
    message: Message = {"type": "serve", "address": address, "node": node}
    if idle_exit is not None:
        message["idleExit"] = milliseconds(idle_exit)
    return message


def request_message(
    method: str,
    url: str,
    options: Options,
    known: Options,
    headers: Changes,
    cookies: Iterable[Cookie],
    body: Body | None,
) -> Message:
    """Describe a request: what is its own, and not what its session in the core knows already.

    Args:
        method: the method.
        url: the URL.
        options: the options that hold for it.
        known: the options that the core's session was made with.
        headers: changes to the headers that the core's session knows.
        cookies: those that are sent whatever the jar says.
        body: the body.
    """
    message: Message = {"type": "request", "method": method, "url": url}
    if options.params:
        message["params"] = _params(options.params)
    if headers:
        message["headers"] = headers
    if cookies:
        message["cookies"] = [(cookie.name, cookie.value) for cookie in cookies]
    if isinstance(options.auth, tuple):
        message["auth"] = options.auth
    if options.kind:
        message["kind"] = options.kind
    if body is not None:
        message["body"] = _body(body)
        if options.expect_continue is not None:
            message["expectContinue"] = milliseconds(options.expect_continue)
    if options.stream:
        message["streamed"] = True
    if not options.decode_content:
        message["undecoded"] = True
    if options is not known:
        _add_differences(message, options, known)
    return message


def _add_differences(message: Message, options: Options, known: Options) -> None:
    # What was not said is the same object; comparing equal ones only costs a few bytes.
    if options.timeout is not known.timeout:
        message["timeouts"] = _timeouts(options.timeout)
    if (
        options.allow_redirects is not known.allow_redirects
        or options.max_redirects != known.max_redirects
        or options.allow_downgrade is not known.allow_downgrade
    ):
        message["redirects"] = _redirects(options)
    if options.header_order is not known.header_order:
        message["headerOrder"] = options.header_order


_NEXT: Final = ("method", "url", "kind", "headers", "hops", "foreign")
"""What a redirect says of the request that it leads to."""


def next_message(message: Message, redirect: Message) -> Message:
    """Describe the request that a redirecting reply leads to; what was the caller's alone stays with its origin."""
    dropped = {"params", "headers"}
    if not redirect.get("keepBody"):
        dropped |= {"body", "expectContinue"}
    if redirect.get("foreign"):
        dropped |= {"auth", "cookies"}
    kept = {name: value for name, value in message.items() if name not in dropped}
    changed: Message = {name: redirect[name] for name in _NEXT if name in redirect}
    return {**kept, **changed}


def set_total_timeout(message: Message, timeout: Timeouts, spent: float) -> None:
    """Take the seconds that earlier hops have spent off the limit of a request."""
    timeouts = _timeouts(timeout)
    if timeout.total is not None:
        timeouts["total"] = milliseconds(max(timeout.total - spent, 0))
    message["timeouts"] = timeouts


def add_spent(response: Message, spent: float) -> None:
    """Add the seconds that earlier hops have spent to the total of a response."""
    timings = response.setdefault("timings", {})
    timings["total"] = timings.get("total", 0.0) + spent * 1000


def cookies_message(action: str, cookies: Sequence[Cookie] = (), **which: str) -> Message:
    """Describe what to do with a jar: "list", "set", "delete" or "clear"."""
    message: Message = {"type": "cookies", "action": action, **which}
    if cookies:
        message["set"] = [_cookie_message(cookie) for cookie in cookies]
    return message


def cookie_of(message: Message) -> Cookie:
    """Read one cookie of a response or jar."""
    return Cookie(
        message["name"],
        message["value"],
        message.get("domain", ""),
        message.get("path", "/"),
        host_only=message.get("hostOnly", False),
        secure=message.get("secure", False),
        http_only=message.get("httpOnly", False),
        same_site=message.get("sameSite", ""),
        expires=message.get("expires"),
    )


def seconds(milliseconds: float) -> float:
    """Convert a duration that came from the core."""
    return milliseconds / 1000


def milliseconds(seconds: float | None) -> int:
    """Convert a duration for the core, where 0 means that there is none."""
    return 0 if seconds is None else max(round(seconds * 1000), 1)


def _timeouts(timeout: Timeouts) -> Message:
    limits = {name: getattr(timeout, name) for name in Timeouts.__slots__}
    return {name: milliseconds(limit) for name, limit in limits.items()}


def _redirects(options: Options) -> Message:
    return {
        "follow": options.allow_redirects,
        "max": options.max_redirects,
        "allowDowngrade": options.allow_downgrade,
    }


def _params(params: Any) -> list[tuple[str, str]]:
    if not isinstance(params, (str, bytes)):
        return flatten(params, "params")
    from urllib.parse import parse_qsl

    text = params if isinstance(params, str) else params.decode("utf-8", "surrogateescape")
    return parse_qsl(text, keep_blank_values=True, errors="surrogateescape")


def _body(body: Body) -> Message:
    if body.content is not None:
        message: Message = {"length": len(body.content)}
    elif body.stream is not None:
        length = body.stream.length
        message = {"length": -1 if length is None else length, "streamed": True, "replayable": body.stream.replayable}
    if body.content_type:
        message["contentType"] = body.content_type
    return message


def _cookie_message(cookie: Cookie) -> Message:
    message = {
        "name": cookie.name,
        "value": cookie.value,
        "domain": cookie.domain,
        "path": cookie.path,
        "hostOnly": cookie.host_only,
        "secure": cookie.secure,
        "httpOnly": cookie.http_only,
        "sameSite": cookie.same_site,
    }
    if cookie.expires is not None:
        # 0 is the core's word for "with the session"; a cookie that ended in 1970 has ended at any time since.
        message["expires"] = int(cookie.expires) or 1
    return message
