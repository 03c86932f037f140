"""Requests without a session of one's own: the functions of the module use one that they share.

It is made by the first of them, and safe for threads. As in requests, cookies
that a server sets last as long as the call: programs that serve many users make
these calls for all of them.
"""

from __future__ import annotations

import os
import threading

from ._options import NEGATED, REQUEST_ONLY, canonical_name, resolve
from ._session import CycleTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._response import Response
    from ._types import BodyOptions, ClientOptions, DataTypes, QueryOptions, QueryTypes, RequestOptions, Unpack


class _Shared(CycleTLS):
    _forgetful = True


_lock = threading.RLock()  # a signal handler may make a call inside another
_session: _Shared | None = None
_defaults: dict[str, Any] = {}


def request(method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
    """Send a request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().request(method, url, **options)


def get(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a GET request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().get(url, params, **options)


def options(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send an OPTIONS request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().options(url, params, **options)


def head(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a HEAD request with the shared session, see :meth:`CycleTLS.head`."""
    return _shared().head(url, params, **options)


def delete(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a DELETE request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().delete(url, params, **options)


def post(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a POST request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().post(url, data, json, **options)


def put(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a PUT request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().put(url, data, json, **options)


def patch(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a PATCH request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().patch(url, data, json, **options)


def set_default(**options: Unpack[ClientOptions]) -> None:
    """Set options of the shared session, which begins anew.

    Raises:
        InvalidOption: as :class:`CycleTLS` and its first request do; nothing is changed then.
    """
    said = resolve(options, REQUEST_ONLY)  # where synonyms must not contradict each other, but replace what was set
    named = {_name(word): said[_name(word)] if word in NEGATED else value for word, value in options.items()}
    with _lock:
        defaults = {**_defaults, **named}
        session = _Shared(**defaults)
        session._open()
        _replace(session, defaults)


def get_default(name: str) -> Any:
    """Return an option that was set with :func:`set_default`, None where it was not.

    Raises:
        UnknownOption: a session has no such option.
    """
    value = _defaults.get(_name(name))
    return not value if name in NEGATED and value is not None else value


def reset_defaults() -> None:
    """Forget what was set with :func:`set_default`; the shared session begins anew."""
    _replace(_Shared(), {})


def close_global_session() -> None:
    """Close the shared session; the next request begins a new one."""
    global _session
    with _lock:
        closing, _session = _session, None
    if closing is not None:
        closing.close()


def _shared() -> CycleTLS:
    global _session
    session = _session
    if session is None:
        with _lock:
            session = _session = _session or _Shared(**_defaults)
    return session


def _replace(session: _Shared, defaults: dict[str, Any]) -> None:
    """Put a new session in the place of the shared one, which ends with the last request that uses it."""
    global _session, _defaults
    with _lock:
        _session, _defaults = session, defaults


def _name(word: str) -> str:
    return canonical_name(word, REQUEST_ONLY)


def _after_fork() -> None:
    """Begin anew in a forked child: the thread that held the lock is not there to release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
